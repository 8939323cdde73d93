"""Bad input at every border: a clear refusal in the API's own shape, nothing stored, and never a 500."""

import orjson
import pytest

from common.testing.identity import a_caller

OPEN = "course-v1:Org+Open+1"
STAFF = a_caller("root", staff=True)
PROGRAM = "5b2c7a52-0d0f-4f43-8a3e-000000000001"
PROGRAMS = f"/api/program_enrollments/v1/programs/{PROGRAM}"
WRITES = (
    ("POST", "enrollment"),
    ("POST", "enrollment_allowed/"),
    ("DELETE", "enrollment_allowed/"),
    ("POST", "unenroll/"),
    ("PUT", f"embargo/{OPEN}"),
    ("POST", "../../bulk_enroll/v1/bulk_enroll"),
    ("POST", f"../../cohorts/v1/courses/{OPEN}/cohorts/"),
    ("PATCH", f"../../cohorts/v1/courses/{OPEN}/cohorts/1"),
    ("POST", f"../../cohorts/v1/courses/{OPEN}/cohorts/1/users/"),
    *((method, f"{PROGRAMS}/enrollments/") for method in ("POST", "PATCH", "PUT")),
    *((method, f"{PROGRAMS}/courses/{OPEN}/enrollments/") for method in ("POST", "PATCH", "PUT")),
    ("POST", "/api/program_enrollments/v1/integration-reset"),
)
DEEP = b"[" * 1000 + b"]" * 1000
FIELDS = (
    b"user", b"email", b"mode", b"is_active", b"cohort", b"enrollment_attributes", b"email_opt_in", b"force_enrollment",
    b"enterprise_uuid", b"username", b"course_id", b"auto_enroll", b"name", b"assignment_type", b"users", b"action",
    b"identifiers", b"courses", b"cohorts", b"reason", b"blocked", b"organization",
)  # fmt: skip
BODIES = {
    "deep": b"[" * 100_000,
    "1000 levels": DEEP.join([b"[", b"]"]),
    **{
        f"1000 levels in {name.decode()}": b'{"course_details": {"course_id": "%b"}, "%b": %b}'
        % (OPEN.encode(), name, DEEP)
        for name in FIELDS
    },
    "1000 levels in a record": b'[{"student_key": "a", "status": %b}]' % DEEP,
    "deep object": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "NaN": b'{"course_details": NaN}',
    "infinity": b'{"course_details": 1e999}',
    "lone surrogate": b'{"course_details": {"course_id": "\\ud800"}, "email": "\\ud800", "name": "\\ud800"}',
    "NUL": b'{"course_details": {"course_id": "\\u0000"}, "email": "a\\u0000", "name": "\\u0000"}',
    "raw NUL": b'{"email": "\x00"}',
    "byte order mark": b'\xef\xbb\xbf{"email": 1}',
    "UTF-16": '{"email": 1}'.encode("utf-16"),
    "truncated": b'{"email": "a',
    "trailing comma": b'{"email": 1,}',
    "a number": b"7",
    "a string": b'"text"',
    "null": b"null",
    "a list": b"[1, 2]",
    "__proto__": b'{"__proto__": {"is_staff": true}}',
    "400 digits": b'{"course_details": {"course_id": ' + b"9" * 400 + b'}, "email": ' + b"9" * 400 + b"}",
    "beyond bigint": orjson.dumps({"course_details": {"course_id": 2**63}, "email": 2**63, "group_id": 2**63}),
    "wrong types": orjson.dumps(
        {
            "course_details": [OPEN],
            "email": {},
            "course_id": [],
            "username": {},
            "name": {},
            "users": 7,
            "action": [],
            "identifiers": {},
            "courses": {},
            "blocked": "IR",
            "allowed": 7,
        }
    ),
}
KEYS = (
    "course-v1:a+b+c%00", "course-v1:a%2Bb%2Bc/../x", "course-v1:a+b", "course-v1:a b c", "course-v1:%C3%A9+b+c",
    "course-v1:" + "a" * 300 + "+b+c", "a/b/c%0A", "%ED%A0%80/b/c", "course-v1:a+b+c+d", "%20/%20/%20",
)  # fmt: skip
READS = (
    "enrollment/{}", "enrollment/alice,{}", "course/{}", "embargo/{}", "enrollments?course_id={}",
    "enrollments?course_ids={}", "enrollments?username={}", "enrollments?email={}", "enrollment?user={}",
    "roles/?course_id={}", "enrollment_allowed/?email={}", "reports/courses/{}", "reports/courses/{}/enrollments.csv",
    "../../cohorts/v1/courses/{}/cohorts/", f"{PROGRAMS}/courses/{{}}/enrollments/", f"{PROGRAMS}/courses/{{}}/grades/",
    f"/api/program_enrollments/v1/users/{{}}/programs/{PROGRAM}/courses",
    "/api/program_enrollments/v1/programs/{}/enrollments/",
    "/api/program_enrollments/v1/programs/{}/overview/", "/api/program_enrollments/v1/programs/enrollments/?type={}",
    "/api/enrollment_jobs/v1/jobs/{}", "/api/enrollment_jobs/v1/jobs/{}/result",
    "/api/enrollment_jobs/v1/jobs?owner={}", "/api/enrollment_jobs/v1/courses/{}/enrollments",
    "/api/enrollment_jobs/v1/programs/{}/course_enrollments",
)  # fmt: skip
CURSORS = ("x", "%00", "bnQ=", "bzk5OTk5OTk5OTk5OTk5OTk5OTk5OQ==", "b" * 5000, "%D9%A3", "bi0x", "b8OpMQ==")
STORED = (
    "enrollment", "enrollment_history", "enrollment_allowed", "cohort", "cohort_membership", "cohort_waiting",
    "embargo", "email_opt_in", "outbox", "manual_enrollment", "program_enrollment", "program_course_enrollment",
    "program_history", "enrollment_job",
)  # fmt: skip


@pytest.fixture
async def nothing_stored(world, resources):
    await world.account("alice")
    await world.course(OPEN)
    await world.program(1, OPEN)
    object.__setattr__(resources.settings, "program_reset", True)

    async def _counts():
        return {table: await world.db.fetchval(f"select count(*) from {table}") for table in STORED}

    before = await _counts()
    yield
    object.__setattr__(resources.settings, "program_reset", False)
    assert await _counts() == before


def in_shape(answer, name: str = "") -> None:
    assert 400 <= answer.status_code < 500, f"{name}: {answer.text[:300]}"
    if answer.content:
        body = answer.json()
        assert isinstance(body, str) or {"message", "detail", "developer_message", "error_code", "field_errors"} & set(
            body
        )
        assert not isinstance(body, dict) or not isinstance(body.get("detail"), list)


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_bad_bodies(client, nothing_stored, method, path):
    for name, content in BODIES.items():
        answer = await client.send(method, path, STAFF, content=content, headers={"content-type": "application/json"})
        in_shape(answer, name)


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
async def test_other_media_types(client, nothing_stored, method, path, media_type):
    answer = await client.send(method, path, STAFF, content=b"a=b", headers={"content-type": media_type})
    assert answer.status_code in (404, 415)
    in_shape(answer)


@pytest.mark.parametrize("path", READS)
async def test_odd_keys_and_words(client, nothing_stored, path):
    for key in KEYS:
        answer = await client.send("GET", path.format(key), STAFF)
        assert answer.status_code < 500, f"{key}: {answer.text[:300]}"
        if answer.status_code >= 400:
            in_shape(answer)


@pytest.mark.parametrize(
    "path", ["enrollments?cursor=", "reports/courses/?cursor=", "/api/enrollment_jobs/v1/jobs?cursor="]
)
async def test_odd_cursors_and_sizes(client, nothing_stored, path):
    for cursor in CURSORS:
        answer = await client.send("GET", path + cursor, STAFF)
        assert answer.status_code in (400, 404), cursor
        in_shape(answer)
    for size in ("0", "-1", "1e9", "abc", "٣", "9" * 30):
        answer = await client.send("GET", f"enrollments?page_size={size}", STAFF)
        assert answer.status_code == 200


@pytest.mark.parametrize("digits", [19, 4000, 5000])
@pytest.mark.parametrize("path", ["", "/users/"])
async def test_a_cohort_of_more_digits_than_a_number_has(client, nothing_stored, digits, path):
    number = "9" * digits
    for method in ("GET", "PATCH"):
        answer = await client.send(
            method, f"../../cohorts/v1/courses/{OPEN}/cohorts/{number}{path}", STAFF, json={"name": "x"}
        )
        assert answer.status_code in (404, 405)
        in_shape(answer)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "a" * 100_000},
        {"user": "Ａlice"},
        {"user": "alice\u200b"},
        {"email": "\u202ealice@example.com"},
        {"mode": "x" * 100_000},
        {"mode": ["audit"]},
        {"cohort": "x" * 100_000, "mode": "nope"},
        {"is_active": 1},
        {"is_active": "true"},
        {"force_enrollment": 0},
        {"enrollment_attributes": "x", "mode": "nope"},
        {"course_details": {"course_id": "course-v1:a+b+c\n"}},
    ],
)
async def test_odd_fields_of_an_enrollment(client, nothing_stored, fields):
    in_shape(await client.enroll(STAFF, **({"user": "alice"} | fields if "email" not in fields else fields)))
