"""`PUT` and `PATCH` of a course: names, dates, marketing texts, heads."""

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
ROBOT = a_caller("robot")
COURSE = "course-v1:Org+Demo+1"
URL = f"/course/{COURSE}"
HISTORY = f"/api/content/v1/history/{COURSE}"


async def count(client) -> int:
    return (await client.get(HISTORY, ADMIN)).json()["count"]


@pytest.mark.parametrize(
    "path", [URL, "/course/Org.Demo.1", "/api/content/v1/course/Org/Demo/1/", f"{URL}/branch/draft"]
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_course_is_renamed_dated_and_described_in_one_version_and_announced(client, bus, demo, path, method):
    body = {
        "display_name": "A new name", "start": "2031-01-02", "enrollment_end": "2031-01-01T10:00:00+02:00",
        "self_paced": True, "about": {"short_description": "In short", "overview": None},
        "fields": {"graceperiod": "1 day"},
    }  # fmt: skip
    answer = await client.request(method, path, ROBOT, json=body, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["display_name"], said["start"], said["self_paced"]) == ("A new name", "2031-01-02T00:00:00Z", True)
    assert (said["enrollment_end"], said["about"]["short_description"]) == ("2031-01-01T08:00:00Z", "In short")
    assert "overview" not in said["about"]
    assert said["metadata"]["graceperiod"] == "1 day"
    assert answer.headers["etag"].startswith(f'"{said["version"]}.')
    published = (await client.get(f"{URL}/branch/published", ADMIN)).json()
    assert published["display_name"] == "A new name"
    event = (await bus.announced("content.course.published.v1"))[-1]
    assert (event["version"], event["course"]["display_name"]) == (3, "A new name")
    assert (event["about"].get("short_description"), "overview" in event["about"]) == ("In short", False)
    assert await count(client) == 2
    assert (await client.get(URL, a_caller("anybody"))).json()["display_name"] == "A new name"


async def test_what_was_read_can_be_sent_back_and_changes_nothing(client, bus, demo):
    body = (await client.get(URL, ROBOT)).json()
    before = await bus.announced()
    answer = await client.request("PUT", URL, ROBOT, json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    assert (await bus.announced(), await count(client)) == (before, 1)


async def test_null_takes_a_setting_away(client, bus, demo):
    await client.request("PATCH", URL, ROBOT, json={"end": "2031-01-01", "language": "de"})
    answer = await client.request("PATCH", URL, ROBOT, json={"end": None})
    assert (answer.json()["end"], answer.json()["language"]) == (None, "de")
    assert "end" not in answer.json()["metadata"]


async def test_a_head_goes_back_to_a_version_and_nothing_is_lost(client, bus, demo):
    first = (await client.get(URL, ROBOT)).json()["version"]
    await client.request("PUT", URL, ROBOT, json={"display_name": "Other"})
    answer = await client.request("PUT", f"{URL}/branch/draft", ROBOT, json={"head": first})
    assert (answer.status_code, answer.json()["display_name"]) == (200, "A Demo")
    assert await count(client) == 3
    unknown = await client.request("PUT", URL, ROBOT, json={"head": "0" * 24})
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "version_not_found")


async def test_who_knows_another_version_is_refused_with_the_current_one(client, bus, demo):
    old = (await client.get(URL, ROBOT)).json()
    new = (await client.request("PATCH", URL, ROBOT, json={"display_name": "Other"})).json()["version"]
    change = {"display_name": "Lost"}
    for status, code, options in (
        (412, "stale_version", {"headers": {"If-Match": f'"{old["version"]}"'}, "json": change}),
        (409, "version_conflict", {"json": {"version": old["version"], **change}}),
        (409, "version_conflict", {"json": {"versions": old["versions"], **change}}),
    ):
        answer = await client.request("PATCH", URL, ROBOT, **options)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
        assert answer.json()["current_version"] in (
            new,
            (await client.get(f"{URL}/branch/published", ROBOT)).json()["version"],
        )
    answer = await client.request("PATCH", f"{URL}/version/{old['version']}", ROBOT, json=change)
    assert (answer.status_code, answer.json()["current_version"]) == (409, new)
    assert await count(client) == 2
    fits = await client.request("PATCH", URL, ROBOT, json=change, headers={"If-Match": f'"x", "{new}"'})
    assert fits.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (URL, {"org": "Other"}, 400, "identity_fixed"),
        (URL, {"course_key": "course-v1:a+b+c"}, 400, "identity_fixed"),
        (URL, {"id": 7}, 400, "identity_fixed"),
        (URL, {"nonsense": 1}, 400, "unexpected_field"),
        (URL, {"fields": {"Bad Name": 1}}, 400, "unexpected_field"),
        (URL, {"fields": []}, 400, "invalid_data"),
        (URL, {"about": {"bad name": "x"}}, 400, "unexpected_field"),
        (URL, {"about": {"overview": 1}}, 400, "invalid_data"),
        (URL, {"about": []}, 400, "invalid_data"),
        (URL, {"start": "soon"}, 400, "bad_date"),
        (URL, {"start": 5}, 400, "bad_date"),
        (URL, {"display_name": 5}, 400, "invalid_data"),
        (URL, {"display_name": "x" * 1001}, 400, "invalid_data"),
        (URL, {"self_paced": "perhaps"}, 400, "invalid_data"),
        (URL, {"max_student_enrollments_allowed": 2**60}, 400, "invalid_data"),
        (URL, {"pre_requisite_courses": ["x", 1]}, 400, "invalid_data"),
        (URL, {"version": "x"}, 400, "invalid_data"),
        (URL, {"versions": {"other-branch": "0" * 24}}, 400, "invalid_data"),
        (URL, {"head": 7}, 400, "invalid_data"),
        (URL, [], 400, "malformed"),
        (URL, {"display_name": "a\0b"}, 400, "malformed"),
        (f"{URL}/branch/other", {}, 404, "course_not_found"),
        (f"{URL}/block/intro", {}, 404, "course_not_found"),
        ("/course/course-v1:Org+None+1", {}, 404, "course_not_found"),
        ("/course/x y", {}, 404, "course_not_found"),
        (f"/course/version/{'0' * 24}", {}, 404, "course_not_found"),
    ],
)
async def test_bad_changes_are_refused_and_change_nothing(client, bus, demo, path, body, status, code):
    before = await bus.announced()
    answer = await client.request("PUT", path, ROBOT, json=body)
    assert (answer.status_code, answer.json().get("error_code")) == (status, code), answer.text
    assert (await bus.announced(), await count(client)) == (before, 1)


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (a_caller(None), 401),
        (a_caller("learner"), 403),
        (a_caller("maker", grants=("Org",)), 403),
        (a_caller("robot", active=False), 403),
        (ROBOT, 200),
        (ADMIN, 200),
        (a_caller("o", org_roles=(("Org", "staff"),)), 200),
    ],
)
async def test_only_the_team_and_global_staff_change_a_course(client, bus, demo, caller, status):
    await bus.enroll(a_caller("learner"))
    answer = await client.request("PATCH", URL, caller, json={"display_name": "Mine"})
    assert answer.status_code == status
    assert await count(client) == (2 if status == 200 else 1)


async def test_bodies_that_are_no_json_are_refused(client, demo):
    for content in (
        b"{",
        b"\xff",
        b'{"display_name": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ):
        answer = await client.request("PUT", URL, ROBOT, content=content)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "malformed")
    answer = await client.request("PUT", URL, ROBOT, content=b" " * 2_000_001)
    assert answer.status_code == 413
