"""What can be read, by whom, in which shape."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest

from common.testing.identity import a_caller

ONE, TWO, GONE = (f"course-v1:Org+{name}+1" for name in ("One", "Two", "Gone"))
ALICE, BOB, STAFF = a_caller("alice"), a_caller("bob"), a_caller("root", staff=True)
SERVER = a_caller(None, api_key=True)


@pytest.fixture(autouse=True)
async def known(world):
    await world.account("alice", "bob")
    await world.account("root", is_staff=True)
    for course in (ONE, TWO):
        await world.course(course)
    await world.enrolled("alice", TWO, "verified")
    await world.enrolled("alice", ONE, is_active=False)
    await world.enrolled("bob", ONE)


class TestList:
    async def test_ones_own_active_enrollments_oldest_first(self, client, world):
        await world.enrolled("bob", TWO)
        answer = await client.send("GET", "enrollment", BOB)
        assert [found["course_details"]["course_id"] for found in answer.json()] == [ONE, TWO]
        assert {found["user"] for found in answer.json()} == {"bob"}
        [only] = (await client.send("GET", "enrollment", ALICE)).json()
        assert (only["course_details"]["course_id"], only["mode"]) == (TWO, "verified")

    async def test_staff_and_servers_see_anybodys(self, client):
        for who in (STAFF, SERVER):
            assert len((await client.send("GET", "enrollment?user=bob", who)).json()) == 1

    async def test_a_stranger_sees_nothing_and_a_teacher_their_courses(self, client, world):
        assert (await client.send("GET", "enrollment?user=alice", BOB)).json() == []
        assert (await client.send("GET", "enrollment?user=ghost", BOB)).json() == []
        await world.team(TWO, "bob", role="instructor")
        answer = await client.send("GET", "enrollment?user=alice", BOB)
        assert [found["course_details"]["course_id"] for found in answer.json()] == [TWO]

    async def test_deleted_courses_are_left_out(self, client, world):
        await world.course(TWO, deleted=True)
        assert (await client.send("GET", "enrollment", ALICE)).json() == []
        assert (await client.send("GET", f"enrollment/{TWO}", ALICE)).json() is None

    async def test_both_slash_forms(self, client):
        plain = await client.send("GET", "enrollment", ALICE)
        assert (await client.send("GET", "enrollment/", ALICE)).content == plain.content


class TestOne:
    async def test_both_urls_give_the_same_body_also_when_inactive(self, client):
        own = await client.send("GET", f"enrollment/{ONE}", ALICE)
        named = await client.send("GET", f"enrollment/alice,{ONE}", ALICE)
        staff = await client.send("GET", f"enrollment/alice,{ONE}", STAFF)
        assert own.status_code == 200
        assert own.json()["is_active"] is False
        assert own.content == named.content == staff.content

    @pytest.mark.parametrize("form", ["Org/One/1", quote("Org/One/1", safe=""), quote(ONE, safe=""), ONE, f"{ONE}/"])
    async def test_every_spelling_of_the_key(self, client, form):
        answer = await client.send("GET", f"enrollment/{form}", BOB)
        assert (answer.status_code, answer.json()["user"]) == (200, "bob")

    async def test_no_enrollment_is_null(self, client):
        for path in (f"enrollment/{TWO}", "enrollment/course-v1:No+Such+Run"):
            answer = await client.send("GET", path, BOB)
            assert (answer.status_code, answer.content) == (200, b"null")

    async def test_of_others_an_empty_404_also_for_the_course_team(self, client, world):
        await world.team(ONE, "bob")
        answer = await client.send("GET", f"enrollment/alice,{ONE}", BOB)
        assert (answer.status_code, answer.content) == (404, b"")

    async def test_what_is_no_course_key(self, client):
        assert (await client.send("GET", "enrollment/nonsense", BOB)).json()["detail"] == "Not found."
        answer = await client.send("GET", "enrollment/course-v1:Or g+One+1", BOB)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "No course 'course-v1:Or g+One+1' found for enrollment",
        )


class TestCourseDetails:
    async def test_no_credentials_are_read(self, client):
        answer = await client.http.get(f"/api/enrollment/v1/course/{ONE}", headers={"x-lectern-identity": "broken"})
        assert answer.status_code == 200
        assert answer.json()["course_id"] == ONE

    async def test_an_unknown_course_is_400(self, client):
        for course in ("course-v1:No+Such+Run", "course-v1:Or g+One+1"):
            answer = await client.send("GET", f"course/{course}")
            assert (answer.status_code, answer.json()["message"]) == (400, f"No course found for course ID '{course}'")

    async def test_expired_modes_only_when_asked_for(self, client, world):
        gone = {"slug": "verified", "name": "V", "expiration_datetime": "2020-01-01T00:00:00Z", "sku": "X1"}
        await world.course(ONE, modes=[{"slug": "audit", "name": "A"}, gone])
        plain = (await client.send("GET", f"course/{ONE}")).json()
        assert [mode["slug"] for mode in plain["course_modes"]] == ["audit"]
        for value in ("1", "0", "false"):
            every = (await client.send("GET", f"course/{ONE}?include_expired={value}")).json()
            assert [mode["slug"] for mode in every["course_modes"]] == ["audit", "verified"]
        assert every["course_modes"][1]["expiration_datetime"] == "2020-01-01T00:00:00Z"
        assert (await client.send("GET", f"course/{ONE}?include_expired=")).json() == plain

    async def test_a_mode_that_expires_leaves_the_details_by_itself(self, client, world):
        soon = datetime.now(UTC) + timedelta(days=1)
        await world.course(ONE, modes=[{"slug": "verified", "name": "V", "expiration_datetime": soon}])
        assert (await client.send("GET", f"course/{ONE}")).json()["course_modes"][0]["slug"] == "verified"
        await world.db.execute("update course_mode set expires_at = now() - interval '1 second'")
        await world.db.execute("update course set details_until = now() - interval '1 second'")
        assert (await client.send("GET", f"course/{ONE}")).json()["course_modes"][0]["slug"] == "audit"
        await client.enroll(ALICE, ONE)
        [one, _] = (await client.send("GET", "enrollment", ALICE)).json()
        assert {mode["slug"] for found in (one,) for mode in found["course_details"]["course_modes"]} <= {
            "audit",
            "honor",
            "verified",
        }


class TestStaffList:
    async def test_everybody_newest_first_also_inactive(self, client):
        answer = await client.send("GET", "enrollments", STAFF)
        found = answer.json()
        assert (found["next"], found["previous"]) == (None, None)
        assert [(row["user"], row["course_id"], row["is_active"]) for row in found["results"]] == [
            ("bob", ONE, True),
            ("alice", ONE, False),
            ("alice", TWO, True),
        ]
        assert set(found["results"][0]) == {"created", "mode", "is_active", "user", "course_id"}
        assert (await client.send("GET", "enrollments/", STAFF)).content == answer.content

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            (f"course_id={quote(ONE)}", 2),
            ("course_id=Org/One/1", 2),
            (f"course_id={quote('course-v1:No+Such+Run')}", 0),
            ("course_ids=org%2Btwo", 1),
            ("course_ids=ONE,two", 3),
            ("username=alice", 2),
            ("username=alice,bob", 3),
            ("username=ghost", 0),
            ("email=Bob@example.com", 1),
            (f"username=alice&course_id={quote(ONE)}", 1),
            ("username=alice&email=bob@example.com", 0),
            ("page=7", 3),
            ("page_size=2", 2),
            ("page_size=100", 3),
            ("page_size=101", 3),
        ],
    )
    async def test_filters_hold_together(self, client, query, count):
        answer = await client.send("GET", f"enrollments?{query}", STAFF)
        assert (answer.status_code, len(answer.json()["results"])) == (200, count)

    @pytest.mark.parametrize(
        ("query", "field", "text"),
        [
            ("course_id=1", "course_id", "'1' is not a valid course id."),
            (
                "username=a%20b",
                "username",
                "Usernames can only contain letters (A-Z, a-z), numerals (0-9), underscores (_), and hyphens (-).",
            ),
            (
                f"username={','.join(['a'] * 101)}",
                "username",
                "Too many usernames in a single request - 101. A maximum of 100 is allowed",
            ),
            (
                f"course_ids={','.join(['a'] * 101)}",
                "course_ids",
                "Too many course_ids in a single request - 101. A maximum of 100 is allowed",
            ),
            (
                f"email={','.join(['a'] * 101)}",
                "email",
                "Too many emails in a single request - 101. A maximum of 100 is allowed",
            ),
        ],
    )
    async def test_bad_filters(self, client, query, field, text):
        answer = await client.send("GET", f"enrollments?{query}", STAFF)
        assert answer.status_code == 400
        assert answer.json() == {"field_errors": {field: {"developer_message": text}}}

    async def test_pages_forward_and_back_meet_every_row_once(self, client, world):
        names = [f"learner{number}" for number in range(9)]
        await world.account(*names)
        for name in names:
            await world.enrolled(name, ONE)
        path, seen, previous = "enrollments?page_size=5", [], []
        while path:
            page = (await client.send("GET", path, STAFF)).json()
            seen.append([row["user"] for row in page["results"]])
            previous.append(page["previous"])
            path = tail(page["next"])
            assert path is None or "page_size=5" in path
        assert [len(rows) for rows in seen] == [5, 5, 2]
        assert previous[0] is None
        back = (await client.send("GET", tail(previous[2]), STAFF)).json()
        assert [row["user"] for row in back["results"]] == seen[1]
        first = (await client.send("GET", tail(back["previous"]), STAFF)).json()
        assert [row["user"] for row in first["results"]] == seen[0]
        assert first["previous"] is None

    async def test_a_page_has_a_hundred_at_most(self, client, world):
        names = [f"learner{number}" for number in range(101)]
        await world.account(*names)
        for name in names:
            await world.enrolled(name, ONE)
        for query in ("", "?page_size=5000", "?page_size=0"):
            found = (await client.send("GET", f"enrollments{query}", STAFF)).json()
            assert len(found["results"]) == 100
            assert found["next"]

    async def test_a_bad_cursor(self, client):
        assert (await client.send("GET", "enrollments?cursor=nope", STAFF)).status_code == 404

    async def test_for_global_staff_only_and_a_server_key_does_not_help(self, client):
        for caller, status in ((None, 401), (SERVER, 401), (ALICE, 403)):
            answer = await client.send("GET", "enrollments", caller)
            assert answer.status_code == status
            assert "developer_message" in answer.json()
            assert "detail" not in answer.json()


def tail(url):
    if url is None:
        return None
    parts = urlsplit(url)
    return f"enrollments?{parts.query}"


class TestRoles:
    async def test_ones_own_roles(self, client, world):
        await world.team(ONE, "alice")
        await world.team(TWO, "alice", role="instructor")
        await world.team("course-v1:Other+Unheard+1", "alice")
        await world.team(TWO, "bob")
        answer = await client.send("GET", "roles/", ALICE)
        assert answer.json() == {
            "roles": [
                {"org": "Org", "course_id": ONE, "role": "staff"},
                {"org": "Org", "course_id": TWO, "role": "instructor"},
                {"org": "Other", "course_id": "course-v1:Other+Unheard+1", "role": "staff"},
            ],
            "is_staff": False,
        }
        answer = await client.send("GET", f"roles/?course_id={quote(TWO)}", ALICE)
        assert [role["course_id"] for role in answer.json()["roles"]] == [TWO]

    async def test_staff_without_roles(self, client):
        assert (await client.send("GET", "roles/", STAFF)).json() == {"roles": [], "is_staff": True}

    async def test_a_server_has_no_roles_to_show(self, client):
        answer = await client.send("GET", "roles/", SERVER)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "An error occurred while retrieving roles for user ''",
        )
        assert (await client.send("GET", "roles/")).status_code == 401


class TestEmbargoLists:
    async def test_only_staff_and_only_country_codes(self, client):
        assert (await client.send("GET", f"embargo/{ONE}", ALICE)).status_code == 403
        for body in ({"blocked": ["Iran"]}, {"blocked": "IR"}, {"banned": []}, []):
            assert (await client.send("PUT", f"embargo/{ONE}", STAFF, json=body)).status_code == 400
        answer = await client.send("PUT", f"embargo/{ONE}", STAFF, json={"blocked": ["ir"]})
        assert answer.json() == {"blocked": ["IR"], "allowed": [], "course_id": ONE}
        assert (await client.send("GET", f"embargo/{ONE}", STAFF)).json() == answer.json()
        assert (await client.send("PUT", "embargo/course-v1:N+N+N", STAFF, json={})).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "needs_staff"),
    [
        ("PUT", "enrollment", False),
        ("DELETE", f"enrollment/{ONE}", False),
        ("POST", "roles/", False),
        ("POST", "enrollments", True),
        ("PATCH", "enrollment_allowed/", True),
        ("GET", "unenroll/", True),
        ("PUT", "../../bulk_enroll/v1/bulk_enroll", True),
        ("OPTIONS", "../../bulk_enroll/v1/bulk_enroll", True),
    ],
)
async def test_who_may_call_is_said_before_a_method_is_refused(client, method, path, needs_staff):
    callers = [(None, 401), (ALICE, 403 if needs_staff else 405), (STAFF, 405)]
    for caller, status in callers:
        answer = await client.send(method, path, caller)
        assert answer.status_code == status
        said = answer.json()
        text = said["developer_message"] if path == "enrollments" else said["detail"]
        assert (
            text
            == {
                401: "Authentication credentials were not provided.",
                403: "You do not have permission to perform this action.",
                405: f'Method "{method}" not allowed.',
            }[status]
        )


async def test_no_body_in_the_frameworks_shape_leaves(client):
    for method, path in (("GET", "nothing"), ("DELETE", "course/course-v1:A+B+C"), ("POST", "roles/")):
        body = (await client.send(method, path, ALICE)).json()
        assert isinstance(body["detail"], str)
        assert "error_code" in body


async def test_the_api_description_is_valid_and_tells_the_bodies(client, resources):
    from openapi_spec_validator import validate

    from enrollment.app import create_app

    described = create_app(resources).openapi()
    validate(described)
    body = described["paths"]["/api/enrollment/v1/enrollment"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["course_details"]["required"] == ["course_id"]
