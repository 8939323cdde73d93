"""Programs over HTTP: made, nested, found, changed, ended; and what others hear of it."""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest

from common.identity import Caller
from common.resources import Resources
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseFacts

MakeCourse = Callable[..., CourseFacts]
PROGRAMS = "/api/programs/v1/programs/"
STAFF, ALICE = a_caller("greta", staff=True), a_caller("alice")
PATCH = {"Content-Type": "application/merge-patch+json"}
UNKNOWN = "11111111-1111-4111-8111-111111111111"


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...


class Client(Protocol):
    async def get(self, url: str, caller: Caller | None = None) -> httpx.Response: ...
    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        caller: Caller | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response: ...
    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]: ...


def course(*runs: str) -> dict[str, object]:
    return {"course_runs": [{"key": f"course-v1:Org+{run}+1"} for run in runs]}


def keys(*runs: str) -> list[str]:
    return [f"course-v1:Org+{run}+1" for run in sorted(runs)]


async def make(client: Client, **fields: object) -> str:
    answer = await client.send("POST", PROGRAMS, {"title": "A program", "type": "Masters"} | fields, STAFF)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{PROGRAMS}{answer.json()['uuid']}/"
    return str(answer.json()["uuid"])


async def heard(resources: Resources) -> dict[str, dict[str, Any]]:
    """The newest announcement of each program."""
    rows = await resources.pool.fetch("select payload from outbox where type like '%program%' order by id")
    return {program["uuid"]: program for row in rows for program in row["payload"]["programs"]}


async def test_a_program_is_shown_whole_and_announced(
    client: Client, resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A", display_name="Known", end="2031-01-01T00:00:00Z", self_paced=True))
    inner = await make(client, title="Inner", type="MicroMasters", courses=[course("C")])
    outer = await make(
        client,
        title="Outer",
        marketing_slug="outer",
        type_attrs={"slug": "masters", "coaching_supported": False},
        authoring_organizations=[{"key": "OrgX"}, {"key": "Other", "name": "Other U"}],
        courses=[course("A") | {"title": "Course A"}],
        curricula=[
            {"name": "Old", "is_active": False, "courses": [course("X")]},
            {"name": "Now", "courses": [course("B")], "programs": [{"uuid": inner, "title": "ignored"}]},
            {"name": "Later", "courses": [course("Y")]},
        ],
    )
    found = await client.body(f"{PROGRAMS}{outer}/")
    assert found["authoring_organizations"][0]["name"] == "OrgX"
    assert found["courses"][0]["key"] == "Org+A"
    run = found["courses"][0]["course_runs"][0]
    assert (run["title"], run["pacing_type"], run["end"]) == ("Known", "self_paced", "2031-01-01T00:00:00Z")
    assert found["curricula"][1]["programs"][0]["title"] == "Inner"
    assert all(UUID(part["uuid"]) for part in (found, run, *found["curricula"], *found["courses"]))
    assert await client.body(f"{PROGRAMS}{outer}") == found
    said = (await heard(resources))[outer]
    assert said["course_run_keys"] == keys("A", "B", "C")
    assert (said["version"], said["deleted"], said["status"]) == (1, False, "active")
    assert said["curricula"][1]["programs"][0]["uuid"] == inner
    for spelling in ("course-v1:Org%2BC%2B1", "Org/C/1"):
        listed = await client.body(f"{PROGRAMS}?course={spelling}")
        assert [program["title"] for program in listed["results"]] == ["Inner", "Outer"]


async def test_a_change_of_a_nested_program_is_announced_by_all_above(client: Client, resources: Resources) -> None:
    low = await make(client, courses=[course("L")])
    middle = await make(client, curricula=[{"programs": [low]}])
    top = await make(client, curricula=[{"programs": [middle]}])
    assert (await heard(resources))[top]["course_run_keys"] == keys("L")
    answer = await client.send("PATCH", f"{PROGRAMS}{low}/", {"courses": [course("M", "N")]}, STAFF, headers=PATCH)
    assert answer.status_code == 200, answer.text
    news = await heard(resources)
    for uuid, version in ((low, 2), (middle, 2), (top, 2)):
        assert (news[uuid]["course_run_keys"], news[uuid]["version"]) == (keys("M", "N"), version)
    assert (await client.send("DELETE", f"{PROGRAMS}{low}/", None, STAFF)).status_code == 204
    news = await heard(resources)
    assert (news[low]["deleted"], news[low]["version"], news[low]["course_run_keys"]) == (True, 3, [])
    assert (news[top]["course_run_keys"], news[top]["curricula"][0]["programs"][0]["curricula"][0]["programs"]) == (
        [],
        [],
    )
    assert (await client.get(f"{PROGRAMS}{low}/", STAFF)).status_code == 404
    again = await make(client, uuid=low, courses=[course("Z")])
    assert again == low
    news = await heard(resources)
    assert (news[low]["version"], news[low]["deleted"], news[top]["course_run_keys"]) == (4, False, keys("Z"))


async def test_a_program_is_no_part_of_itself(client: Client, resources: Resources) -> None:
    low = await make(client)
    top = await make(client, curricula=[{"programs": [low]}])
    for child in (low, top):
        body = {"title": "T", "type": "t", "curricula": [{"programs": [child]}]}
        answer = await client.send("PUT", f"{PROGRAMS}{low}/", body, STAFF)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "nested_in_itself")
    answer = await client.send(
        "PUT", f"{PROGRAMS}{low}/", {"title": "T", "type": "t", "curricula": [{"programs": [UNKNOWN]}]}, STAFF
    )
    assert (answer.status_code, answer.json()["error_code"]) == (400, "unknown_nested_program")
    assert (await heard(resources))[low]["version"] == 1


async def test_programs_are_searched_and_filtered(client: Client) -> None:
    await make(client, title="Data", type="MicroMasters", authoring_organizations=[{"key": "MITx"}])
    await make(client, title="Biology", marketing_slug="bio", courses=[course("Data")])
    hidden = await make(client, title="Draft data", status="unpublished")

    async def titles(query: str, caller: Caller | None = None) -> list[str]:
        body = await client.body(f"{PROGRAMS}?{query}", caller)
        assert body["count"] == len(body["results"])
        return [program["title"] for program in body["results"]]

    assert await titles("") == ["Biology", "Data"]
    assert await titles("search=dat") == ["Data", "Biology"]
    assert await titles("search=dat&page_size=100", STAFF) == ["Data", "Draft data", "Biology"]
    assert await titles("org=mitX") == await titles("type=micromasters") == ["Data"]
    assert await titles("marketing_slug=bio") == ["Biology"]
    assert await titles("status=unpublished") == []
    assert await titles(f"uuids={hidden},{UNKNOWN}", STAFF) == ["Draft data"]
    assert (await client.get(f"{PROGRAMS}{hidden}/", ALICE)).status_code == 404
    page = await client.body(f"{PROGRAMS}?page_size=1&page=2")
    assert (page["count"], page["next"]) == (2, None)
    assert page["previous"] == f"https://lectern.example{PROGRAMS}?page_size=1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "t"}, "title"),
        ({"title": "", "type": "t"}, "title"),
        ({"title": "t", "type": "t", "uuid": "x"}, "uuid"),
        ({"title": "t", "type": "t", "status": "deleted"}, "status"),
        ({"title": "t", "type": "t", "courses": {}}, "courses"),
        (
            {"title": "t", "type": "t", "courses": [{"course_runs": [{"key": "nonsense"}]}]},
            "courses.0.course_runs.0.key",
        ),
        ({"title": "t", "type": "t", "curricula": [{"programs": ["x"]}]}, "curricula.0.programs.0"),
        ({"title": "t\x00", "type": "t"}, "title"),
        (
            {"title": "t", "type": "t", "authoring_organizations": [{"key": "k", "logo_image_url": "https://x/\x00"}]},
            "authoring_organizations.0.logo_image_url",
        ),
        (
            {
                "title": "t",
                "type": "t",
                "courses": [{"course_runs": [{"key": "course-v1:a+b+c", "start": "0001-01-01T00:00:00+14:00"}]}],
            },
            "courses.0.course_runs.0.start",
        ),
        ({"title": "t", "type": "t", "authoring_organizations": [{}]}, "authoring_organizations.0.key"),
    ],
)
async def test_a_bad_record_is_refused_by_field(client: Client, body: object, field: str) -> None:
    answer = await client.send("POST", PROGRAMS, body, STAFF)
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["field_errors"]
    assert (await client.body(PROGRAMS, STAFF))["count"] == 0


@pytest.mark.parametrize(
    ("method", "url", "caller", "status"),
    [
        ("POST", PROGRAMS, None, 401),
        ("POST", PROGRAMS, ALICE, 403),
        ("DELETE", f"{PROGRAMS}{UNKNOWN}/", ALICE, 403),
        ("DELETE", f"{PROGRAMS}{UNKNOWN}/", STAFF, 404),
        ("PATCH", f"{PROGRAMS}{UNKNOWN}/", STAFF, 404),
        ("GET", f"{PROGRAMS}nonsense/", None, 404),
        ("GET", f"{PROGRAMS}?page=0", None, 404),
        ("GET", f"{PROGRAMS}?page=99999999999999999", None, 404),
        ("GET", f"{PROGRAMS}?uuids=x", None, 400),
        ("GET", f"{PROGRAMS}?course=x", None, 400),
        ("GET", f"{PROGRAMS}?search=%00&org=%00", None, 400),
    ],
)
async def test_other_requests_are_answered_with_a_problem(
    client: Client, method: str, url: str, caller: Caller | None, status: int
) -> None:
    answer = await client.send(method, url, {}, caller)
    assert answer.status_code == status, answer.text


async def test_a_post_is_repeated_safely_with_an_idempotency_key(client: Client) -> None:
    body = {"title": "Once", "type": "t"}
    headers = {"Idempotency-Key": "k1"}
    first = await client.send("POST", PROGRAMS, body, STAFF, headers=headers)
    again = await client.send("POST", PROGRAMS, body, STAFF, headers=headers)
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert (await client.body(PROGRAMS))["count"] == 1
    other = await client.send("POST", PROGRAMS, {**body, "title": "Twice"}, STAFF, headers=headers)
    assert other.status_code == 422
    taken = await client.send("POST", PROGRAMS, {**body, "uuid": first.json()["uuid"]}, STAFF)
    assert (taken.status_code, taken.json()["error_code"]) == (409, "program_exists")
