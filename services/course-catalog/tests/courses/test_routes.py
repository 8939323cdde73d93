"""The course API over HTTP: bodies, statuses and every refusal to the letter."""

from collections.abc import Callable, Sequence
from typing import Protocol

import httpx
import pytest

from common.identity import Caller
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseDeleted, CourseFacts

MakeCourse = Callable[..., CourseFacts]
LIST, IDS = "/api/courses/v1/courses/", "/api/courses/v1/course_ids/"
ALICE, RITA, STAFF = a_caller("alice"), a_caller("rita"), a_caller("greta", staff=True)


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def role(
        self, course: CourseFacts, caller: Caller, role: str = "staff", *, removed: bool = False
    ) -> None: ...
    async def account(self, caller: Caller, *, version: int = 1) -> None: ...


class Client(Protocol):
    async def get(
        self, url: str, caller: Caller | None = None, *, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> httpx.Response: ...
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


def field(name: str, message: str) -> dict[str, object]:
    return {"field_errors": {name: {"developer_message": message}}}


@pytest.mark.parametrize(
    ("url", "caller", "status", "body"),
    [
        (f"{LIST}?mobile=yes", None, 400, field("mobile", "Invalid Boolean Value.")),
        (f"{LIST}?active_only=TRUE", None, 400, field("active_only", "Invalid Boolean Value.")),
        (f"{LIST}?mobile_search=2", None, 400, field("mobile_search", "Invalid Boolean Value.")),
        (f"{LIST}?permissions=staff,,load", None, 400, field("permissions", "This field cannot be empty.")),
        (f"{LIST}?permissions=fly", None, 400, field("permissions", "'fly' is not a known permission.")),
        (f"{LIST}?course_keys=a%2Bb", None, 400, field("course_keys", "'a+b' is not a valid course key.")),
        (f"{LIST}?course_keys=,", None, 400, field("course_keys", "This field cannot be empty.")),
        (f"{IDS}?username=alice", ALICE, 400, field("role", "This field is required.")),
        (f"{IDS}?username=alice&role=cook", ALICE, 400, field("role", "'cook' is not a role in a course.")),
        (f"{LIST}a+b+c", None, 400, field("course_key", "'a+b+c' is not a valid course key.")),
        (f"{LIST}course-v1:a+b+", None, 404, {"developer_message": "Not found."}),
        (f"{LIST}nothing", None, 404, {"developer_message": "Not found."}),
        (f"{LIST}course-v1:No+Such+1", None, 404, {"developer_message": "Course not found."}),
        (f"{LIST}?page=0", None, 404, {"developer_message": "Invalid page."}),
        (f"{LIST}?page=-1", None, 404, {"developer_message": "Invalid page."}),
        (f"{LIST}?page=2", None, 404, {"developer_message": "Invalid page."}),
        (f"{LIST}?page=last", None, 404, {"developer_message": "Invalid page."}),
        (f"{IDS}?role=staff&page=last", ALICE, 404, {"developer_message": "Invalid page."}),
        (f"{IDS}?role=staff", None, 401, {"developer_message": "Authentication credentials were not provided."}),
        (
            f"{LIST}?username=bob",
            ALICE,
            403,
            {"developer_message": "You do not have permission to perform this action."},
        ),
        (
            f"{LIST}?username=Alice",
            ALICE,
            403,
            {"developer_message": "You do not have permission to perform this action."},
        ),
        (
            f"{LIST}?username=bob",
            None,
            403,
            {"developer_message": "You do not have permission to perform this action."},
        ),
        (f"{LIST}?username=nobody", STAFF, 404, {"developer_message": "User matching query does not exist."}),
    ],
)
async def test_refusals_have_upstreams_words(
    client: Client, url: str, caller: Caller | None, status: int, body: dict[str, object]
) -> None:
    answer = await client.get(url, caller)
    assert answer.status_code == status, answer.text
    given = answer.json()
    given.pop("error_code", None)
    assert given == body
    assert "www-authenticate" not in answer.headers


async def test_several_bad_fields_are_all_named(client: Client) -> None:
    answer = await client.get(f"{LIST}?mobile=x&active_only=y")
    assert set(answer.json()["field_errors"]) == {"mobile", "active_only"}
    assert "developer_message" not in answer.json()


@pytest.mark.parametrize("url", [LIST, IDS, f"{LIST}course-v1:Org+Demo+1"])
async def test_other_methods_are_refused_in_the_familys_shape(client: Client, url: str) -> None:
    answer = await client.get(url, method="POST")
    assert answer.status_code == 405
    assert answer.json()["developer_message"] == 'Method "POST" not allowed.'


@pytest.mark.parametrize("url", [LIST, IDS, f"{LIST}course-v1:Org+Demo+1", "/api/catalog/v1/courses/"])
async def test_options_say_what_can_be_asked(client: Client, url: str) -> None:
    answer = await client.get(url, ALICE, method="OPTIONS")
    assert (answer.status_code, answer.headers["allow"]) == (200, "GET, HEAD, OPTIONS")


async def test_an_inactive_account_is_answered_too(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    ida = a_caller("ida", active=False)
    for url in (f"{LIST}?username=ida", f"{LIST}course-v1:Org+Demo+1?username=ida", f"{IDS}?role=staff&username=ida"):
        assert (await client.get(url, ida)).status_code == 200


async def test_what_the_list_does_not_know_is_ignored_and_the_last_value_counts(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A", mobile_available=True), a_course("B"))
    both = ["course-v1:Org+A+1", "course-v1:Org+B+1"]
    for query in ("colour=red", "role=staff", "mobile_search=true", "mobile_search=0", "mobile=", "username=", "org="):
        assert await client.ids(f"{LIST}?{query}", ALICE) == both, query
    assert await client.ids(f"{LIST}?mobile=false&mobile=true") == both[:1]
    assert await client.ids(f"{LIST}?org=nobody&org=ORG") == both


async def test_several_values_are_repeated_or_parted_by_commas(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    later = {"start": "2999-01-01T00:00:00Z"}
    await bus.hear(a_course("A"), a_course("B"), a_course("C", **later), a_course("D", catalog_visibility="none"))
    a, b, c, d = (f"course-v1%3AOrg%2B{name}%2B1" for name in "ABCD")
    for query, found in (
        (f"course_keys={a},{b}&course_keys={c}&course_keys={a}", "ABC"),
        (f"course_keys={a}&course_keys=Org/B/1", "AB"),
        ("permissions=load&permissions=see_in_catalog", "AB"),
        ("permissions=load,see_in_catalog,load", "AB"),
        ("permissions=load", "ABD"),
        (f"permissions=load&course_keys={c},{d}", "D"),
    ):
        assert "".join(key[-3] for key in await client.ids(f"{LIST}?{query}")) == found, query


async def test_a_course_outside_the_catalogue_is_listed_and_says_so(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(*(a_course(name, catalog_visibility=name) for name in ("about", "both", "none")))
    body = (await client.get(LIST)).json()
    assert {course["number"]: course["hidden"] for course in body["results"]} == {
        "about": True,
        "both": False,
        "none": True,
    }
    for name in ("about", "none"):
        assert (await client.get(f"{LIST}course-v1:Org+{name}+1")).json()["hidden"] is True


async def test_a_staff_only_course_is_hidden_also_while_its_window_is_open(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    window = {"enrollment_start": "2020-01-01T00:00:00Z", "enrollment_end": "2999-01-01T00:00:00Z"}
    await bus.hear(a_course(visible_to_staff_only=True, **window))
    for caller, query in ((None, ""), (ALICE, "?username=alice")):
        assert await client.ids(f"{LIST}{query}", caller) == []
        assert (await client.get(f"{LIST}course-v1:Org+Demo+1{query}", caller)).status_code == 404


async def test_a_course_is_known_by_the_case_of_its_key(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    for key, status in (("Org+Demo+1", 200), ("org+Demo+1", 404), ("Org+demo+1", 404)):
        assert (await client.get(f"{LIST}course-v1:{key}")).status_code == status
    assert await client.ids(f"{LIST}?course_keys=course-v1%3Aorg%2BDemo%2B1") == []


async def test_a_publish_makes_the_row_anew(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course(about={"effort": "3 h"}, self_paced=True, language="en"))
    await bus.hear(a_course(version=2, display_name="New", enrollment_end="2031-01-01T00:00:00Z"))
    found = (await client.get(f"{LIST}course-v1:Org+Demo+1")).json()
    assert (found["name"], found["effort"], found["pacing"]) == ("New", None, "instructor")
    assert found["enrollment_end"] == "2031-01-01T00:00:00Z"
    (listed,) = (await client.get(LIST)).json()["results"]
    assert listed["name"] == "New"


@pytest.mark.parametrize("url", [LIST, LIST[:-1], f"{LIST}course-v1:Org+Demo+1", f"{LIST}course-v1:Org+Demo+1/"])
async def test_both_slash_forms_and_head_answer_directly(
    client: Client, bus: Bus, a_course: MakeCourse, url: str
) -> None:
    await bus.hear(a_course())
    assert (await client.get(url)).status_code == 200
    assert (await client.get(url, method="HEAD")).status_code == 200


async def test_pages_link_to_each_other_and_count_exactly(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(*(a_course(f"C{number}", visible_to_staff_only=number == 0) for number in range(8)))
    url: str | None = f"{LIST}?org=Org&page_size=3"
    pages = []
    while url:
        body = (await client.get(url)).json()
        pages.append([course["number"] for course in body["results"]])
        pagination = body["pagination"]
        assert (pagination["count"], pagination["num_pages"]) == (7, 3)
        url = pagination["next"]
    assert pages == [["C1", "C2", "C3"], ["C4", "C5", "C6"], ["C7"]]
    second = (await client.get(f"{LIST}?page=2&page_size=3&org=Org")).json()["pagination"]
    assert second["previous"] == "https://lectern.example/api/courses/v1/courses/?page_size=3&org=Org"
    assert second["next"].startswith(
        "https://lectern.example/api/courses/v1/courses/?page_size=3&org=Org&page=3&cursor="
    )


@pytest.mark.parametrize(("asked", "size"), [("", 10), ("0", 10), ("-3", 10), ("x", 10), ("7", 7), ("5000", 100)])
async def test_odd_page_sizes_fall_back_or_are_clamped(
    client: Client, bus: Bus, a_course: MakeCourse, asked: str, size: int
) -> None:
    await bus.hear(*(a_course(f"C{number:03}") for number in range(101)))
    body = (await client.get(f"{LIST}?page_size={asked}")).json()
    assert len(body["results"]) == size


async def test_urls_are_absolute_at_the_host_the_client_used(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    headers = {"X-Forwarded-Host": "courses.example:8443", "X-Forwarded-Proto": "https"}
    body = (await client.get(LIST, headers=headers)).json()
    assert body["results"][0]["blocks_url"].startswith("https://courses.example:8443/api/courses/v2/blocks/?course_id=")
    assert body["results"][0]["media"]["image"]["raw"].startswith("https://courses.example:8443/asset-v1:")
    assert body["results"][0]["media"]["course_image"]["uri"].startswith("/asset-v1:")


@pytest.mark.parametrize(
    "asked", ["course-v1:Org+Demo+1", "course-v1%3AOrg%2BDemo%2B1", "Org/Demo/1", "Org%2FDemo%2F1"]
)
async def test_detail_answers_every_spelling_and_echoes_the_one_it_was_created_in(
    client: Client, bus: Bus, a_course: MakeCourse, asked: str
) -> None:
    await bus.hear(a_course("Org/Demo/1", about={"overview": '<p>All "about" it \x7f</p>', "effort": "2 h"}))
    body = (await client.get(LIST + asked)).json()
    assert body["id"] == body["course_id"] == "Org/Demo/1"
    assert body["overview"] == '<p>All "about" it </p>'
    assert body["effort"] == "2 h"
    (listed,) = (await client.get(LIST)).json()["results"]
    assert body == {**listed, "overview": body["overview"]}


async def test_detail_is_404_for_whom_it_may_not_be_seen_by(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    hidden = a_course(visible_to_staff_only=True)
    await bus.hear(hidden)
    await bus.role(hidden, RITA)
    url = f"{LIST}course-v1:Org+Demo+1"
    unknown = await client.get(f"{LIST}course-v1:No+Such+1")
    for caller, query in ((None, ""), (ALICE, "?username=alice"), (RITA, "")):
        answer = await client.get(url + query, caller)
        assert (answer.status_code, answer.json()) == (404, unknown.json())
    for caller, query in ((RITA, "?username=rita"), (STAFF, "?username=greta")):
        assert (await client.get(url + query, caller)).json()["overview"] == ""
    await bus.hear(CourseDeleted(course_id=hidden.course_id, version=9))
    assert (await client.get(f"{url}?username=greta", STAFF)).status_code == 404


async def test_a_course_of_ones_organization_is_seen(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course(visible_to_staff_only=True))
    otto = a_caller("otto", org_roles=(("org", "staff"),))
    assert (await client.get(f"{LIST}course-v1:Org+Demo+1?username=otto", otto)).status_code == 200


async def test_a_course_just_announced_is_not_refused(patient_client: Client, bus: Bus, a_course: MakeCourse) -> None:
    import asyncio

    asking = asyncio.create_task(patient_client.get(f"{LIST}course-v1:Org+Demo+1"))
    await asyncio.sleep(0.05)
    await bus.hear(a_course())
    assert (await asking).status_code == 200


async def test_global_staff_see_through_the_eyes_of_others(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    mine, other = a_course("Mine", visible_to_staff_only=True), a_course("Other", visible_to_staff_only=True)
    await bus.hear(mine, other, a_course("Open"))
    await bus.role(mine, RITA)
    for account in (RITA, ALICE, STAFF):
        await bus.account(account)
    boss = a_caller("boss", staff=True)

    async def seen_as(name: str) -> list[str]:
        return [key.split("+")[1] for key in await client.ids(f"{LIST}?username={name}", boss)]

    assert await seen_as("rita") == ["Mine", "Open"]
    assert await seen_as("alice") == await seen_as("") == ["Open"]
    assert await seen_as("greta") == await seen_as("boss") == ["Mine", "Open", "Other"]


async def test_course_ids_are_those_of_a_role(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    staffed, taught = a_course("Org/Staffed/1"), a_course("Taught", visible_to_staff_only=True)
    await bus.hear(staffed, taught, a_course("Other"))
    await bus.role(staffed, RITA, "staff")
    await bus.role(taught, RITA, "instructor")
    await bus.account(RITA)

    async def ids(query: str, caller: Caller) -> list[str]:
        body = (await client.get(f"{IDS}?{query}", caller)).json()
        assert body["pagination"]["count"] == len(body["results"])
        return list(body["results"])

    assert await ids("username=rita&role=staff", RITA) == ["Org/Staffed/1", "course-v1:Org+Taught+1"]
    assert await ids("username=rita&role=instructor", RITA) == ["course-v1:Org+Taught+1"]
    assert await ids("username=rita&role=instructor", STAFF) == ["course-v1:Org+Taught+1"]
    assert await ids("role=staff", RITA) == []
    assert len(await ids("username=greta&role=anything", STAFF)) == 3


async def test_course_ids_come_a_thousand_a_page_at_most(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    for start in range(0, 1001, 143):
        await bus.hear(*(a_course(f"C{number:04}") for number in range(start, start + 143)))
    for size, shown in (("1000", 1000), ("5000", 1000), ("", 10), ("0", 10)):
        body = (await client.get(f"{IDS}?role=staff&username=greta&page_size={size}", STAFF)).json()
        assert (len(body["results"]), body["pagination"]["count"]) == (shown, 1001)


async def test_course_staff_do_not_look_through_the_eyes_of_others(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course())
    await bus.role(a_course(), RITA, "instructor")
    await bus.account(ALICE)
    otto = a_caller("otto", org_roles=(("Org", "instructor"),))
    for caller in (RITA, otto):
        for url in (f"{LIST}?", f"{LIST}course-v1:Org+Demo+1?", f"{IDS}?role=staff&"):
            for name in ("alice", "nobody"):
                assert (await client.get(f"{url}username={name}", caller)).status_code == 403


async def test_unchanged_answers_are_not_sent_again(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    for url in (LIST, f"{LIST}course-v1:Org+Demo+1"):
        first = await client.get(url)
        again = await client.get(url, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        await bus.hear(a_course(version=3 if "+" in url else 2, display_name=f"New at {url}"))
        assert (await client.get(url, headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_without_an_internal_token_nothing_is_answered(client: Client) -> None:
    for url in (LIST, IDS, f"{LIST}course-v1:Org+Demo+1", "/"):
        assert (await client.get(url, headers={"x-lectern-identity": "forged"})).status_code == 401


async def test_the_api_is_described_though_plain_routes_answer(client: Client) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {LIST, IDS, "/api/courses/v1/courses/{course_key}"} <= set(paths)
    names = {parameter["name"] for parameter in paths[LIST]["get"]["parameters"]}
    assert {"username", "org", "mobile", "search_term", "permissions", "active_only", "course_keys", "page"} <= names
