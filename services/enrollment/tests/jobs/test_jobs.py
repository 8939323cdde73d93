"""What jobs do with files: rows in, results out, progress, cancel, undo, thresholds."""

import asyncio
import signal
import sys

import orjson
import pytest

from common.testing.identity import a_caller
from common.testing.waiting import until

CURRICULUM = "00000000-1111-2222-3333-444444444444"
OPEN, SECOND = "course-v1:Org+Open+1", "course-v1:Org+Second+1"


@pytest.fixture
async def program(client, world):
    await world.course(OPEN)
    await world.course(SECOND)
    runs = [{"key": OPEN, "external_key": "ANL-101"}, {"key": SECOND}]
    return await world.program(1, courses=[{"course_runs": runs}])


FORM = b"""--b\r
Content-Disposition: form-data; name="file"; filename="x.csv"\r
\r
student_key,status
a,enrolled
7,ended
\r
--b--\r
"""


def keys(program):
    return f"programs/{program}/enrollments"


def courses(program):
    return f"programs/{program}/course_enrollments"


async def statuses(db):
    found = await db.fetch("select external_user_key, status from program_enrollment order by id")
    return [tuple(row) for row in found]


async def test_a_file_of_keys(jobs, program, db):
    file = "Student_Key , STATUS,note\r\nk1,enrolled,x\r\n k2 ,withdrawn,\r\nk1,pending,\n\nk3,happy,\n=1+1,pending,\n"
    job = await jobs.run(keys(program), file)
    assert job["name"] == f"{program}:write:program_enrollments"
    assert (job["state"], job["text"]) == ("Succeeded", "207")
    assert job["progress"] == {"total": 5, "done": 5, "percent": 100}
    assert (job["good"], job["bad"]) == (2, 3)
    assert job["outcomes"] == {"duplicated": 2, "withdrawn": 1, "invalid-status": 1, "pending": 1}
    assert await statuses(db) == [("k2", "withdrawn"), ("=1+1", "pending")]
    assert await db.fetchval("select distinct curriculum_uuid::text from program_enrollment") == CURRICULUM
    assert await jobs.result(job) == [
        {"student_key": "k1", "status": "duplicated"},
        {"student_key": "k2", "status": "withdrawn"},
        {"student_key": "k1", "status": "duplicated"},
        {"student_key": "k3", "status": "invalid-status"},
        {"student_key": "=1+1", "status": "pending"},
    ]
    assert await jobs.result(job, "csv") == (
        "student_key,status\r\nk1,duplicated\r\nk2,withdrawn\r\nk1,duplicated\r\nk3,invalid-status\r\n'=1+1,pending\r\n"
    )
    for table in ("enrollment_job_row", "enrollment_job_part"):
        assert await db.fetchval(f"select count(*) from {table}") == 0


@pytest.mark.parametrize(
    ("media_type", "file"),
    [
        (
            "application/json",
            b' [ {"student_key": "a", "status": "enrolled"} ,\n{"student_key": 7, "status": "ended"}] ',
        ),
        (
            "application/x-ndjson",
            b'{"student_key": "a", "status": "enrolled"}\n{"student_key": 7, "status": "ended"}\n',
        ),
        ("text/csv; charset=utf-8", b"\xef\xbb\xbfexternal_user_key,status\ra,enrolled\r7,ended"),
        (
            "multipart/form-data; boundary=b",
            FORM,
        ),
    ],
)
async def test_every_way_to_send_a_file(jobs, program, db, media_type, file):
    job = await jobs.run(keys(program), file, media_type)
    assert (job["state"], job["text"]) == ("Succeeded", "200")
    assert await statuses(db) == [("a", "enrolled"), ("7", "ended")]


async def test_no_rows_and_only_bad_rows(jobs, program):
    assert (await jobs.run(keys(program), "student_key,status\n"))["text"] == "204"
    assert (await jobs.run(keys(program), "[]", "application/json"))["text"] == "204"
    assert (await jobs.run(keys(program), "student_key,status\na,x\n"))["text"] == "422"


async def test_a_program_without_a_curriculum_needs_one_in_the_file(jobs, world, db):
    uuid = await world.program(5, curricula=[])
    job = await jobs.run(keys(uuid), f"student_key,status,curriculum_uuid\na,enrolled,\nb,pending,{CURRICULUM}\n")
    assert (job["text"], job["outcomes"]) == ("207", {"internal-error": 1, "pending": 1})
    assert await statuses(db) == [("b", "pending")]


async def test_a_file_of_courses(jobs, program, world, db):
    await jobs.run(keys(program), "student_key,status\na,enrolled\nb,enrolled\nc,enrolled\n")
    await world.account("grace")
    await world.link(1, "grace", "a")
    file = (
        "course_id,student_key,status,course_staff\nANL-101,a,active,True\n"
        f"{SECOND},a,active,\nOrg/Open/1,b,inactive,\nNONE-1,a,active,\n{OPEN},c,active,\nANL-101,C,active,\n"
        "ANL-101,z,active,\n"
    )
    job = await jobs.run(courses(program), file)
    assert await jobs.result(job, "csv") == (
        "course_id,student_key,status,course_staff\r\nANL-101,a,active,True\r\n"
        f"{SECOND},a,active,\r\nOrg/Open/1,b,inactive,\r\nNONE-1,a,course-not-found,\r\n{OPEN},c,duplicated,\r\n"
        "ANL-101,C,duplicated,\r\nANL-101,z,not-in-program,\r\n"
    )
    assert await world.state("grace") == await world.state("grace", SECOND) == ("masters", True)
    assert await db.fetchval("select count(*) from outbox where type = 'content.set_course_role.v1'") == 1
    exported = await jobs.done(await jobs.send("GET", f"{courses(program)}?fmt=csv"))
    assert exported["name"] == f"{program}:read:program_course_enrollments"
    assert (await jobs.result(exported, "csv")).splitlines() == [
        "course_id,student_key,status,account_exists,course_staff",
        "ANL-101,a,active,True,False",
        "ANL-101,b,inactive,False,False",
        f"{SECOND},a,active,True,False",
    ]
    one = await jobs.done(await jobs.send("GET", f"programs/{program}/courses/{SECOND}/enrollments"))
    assert [row["student_key"] for row in await jobs.result(one)] == ["a"]
    whole = await jobs.done(await jobs.send("GET", keys(program)))
    assert [(row["student_key"], row["username"]) for row in await jobs.result(whole)] == [
        ("a", "grace"),
        ("b", ""),
        ("c", ""),
    ]


PLAIN = (
    f"username,email,course_id,mode,is_active\ngrace,,{OPEN},,\nada,,Org/Open/1,verified,\n,new@example.com,{OPEN},,\n"
    f"nobody,,{OPEN},,\ngrace,,{SECOND},odd,\nada,,{SECOND},,\nada,,{SECOND},audit,\n"
)


async def test_a_file_of_enrollments(jobs, program, world):
    await world.account("grace", "ada")
    job = await jobs.run("enrollments", PLAIN)
    assert job["name"] == "registrar:write:enrollments"
    assert [(row["outcome"], row.get("code")) for row in await jobs.result(job)] == [
        ("enrolled", None),
        ("enrolled", None),
        ("waiting", "no_account"),
        ("rejected", "unknown_learner"),
        ("rejected", "mode_unavailable"),
        ("rejected", "duplicated"),
        ("rejected", "duplicated"),
    ]
    assert (await world.state("grace"), await world.state("ada")) == (("audit", True), ("verified", True))
    assert await world.state("ada", SECOND) is None
    job = await jobs.run(f"courses/{OPEN}/enrollments", "username,is_active\ngrace,false\n")
    assert job["text"] == "200"
    assert await world.state("grace") == ("audit", False)
    exported = await jobs.done(await jobs.send("GET", f"courses/{OPEN}/enrollments"))
    assert {row["username"]: row["is_active"] for row in await jobs.result(exported)} == {"grace": False, "ada": True}


async def test_a_learner_heard_of_late_is_no_refusal(jobs, program, world):
    answer = await jobs.post("enrollments", f"username,course_id\ngrace,{OPEN}\n")
    job, _ = await asyncio.gather(jobs.done(answer), world.account("grace"))
    assert (job["text"], await world.state("grace")) == ("200", ("audit", True))


async def test_a_long_file_after_short_ones_takes_no_longer_for_it(jobs, program, db):
    await jobs.run(f"programs/{program}/enrollments", "student_key,status\nfirst,enrolled\n")
    await db.execute(
        "insert into enrollment_job_row (job_id, n, folded, data) select id, 1, 'x', '{}' from enrollment_job"
    )
    await db.execute("analyze enrollment_job_row")  # as autovacuum does between two jobs
    keys = [f"k{number}" for number in range(30_000)] + ["k7"]
    file = "student_key,status\n" + "".join(f"{key},odd\n" for key in keys)
    async with asyncio.timeout(30):  # the rows each with each would take minutes
        job = await jobs.run(f"programs/{program}/enrollments", file)
    assert job["outcomes"] == {"invalid-status": 29_999, "duplicated": 2}


async def test_a_dry_run_says_all_and_writes_nothing(jobs, program, world, db):
    await world.account("grace", "ada")
    for path, file in ((keys(program), "student_key,status\na,enrolled\nb,odd\n"), ("enrollments", PLAIN)):
        job = await jobs.run(f"{path}?dry_run=true", file)
        assert (job["dry_run"], job["text"]) == (True, "207")
        assert len(await jobs.result(job)) == job["progress"]["total"]
    for table in ("program_enrollment", "program_history", "enrollment", "enrollment_allowed", "outbox"):
        assert await db.fetchval(f"select count(*) from {table}") == 0
    assert (await jobs.send("POST", f"jobs/{job['job_id']}/undo")).status_code == 409


DROPS = {
    "as many as allowed": ("max_drops=2", "Succeeded"),
    "more": ("max_drops=1", "Failed"),
    "a share as large as allowed": ("max_drop_percent=50", "Succeeded"),
    "a larger share": ("max_drop_percent=49.9", "Failed"),
    "unlimited": ("", "Succeeded"),
}


@pytest.mark.parametrize("case", DROPS)
async def test_a_job_that_would_drop_too_many_is_stopped(jobs, program, world, db, case):
    query, state = DROPS[case]
    names = ("grace", "ada", "alan", "kurt")
    await world.account(*names)
    await jobs.run(keys(program), "student_key,status\n" + "".join(f"{name},enrolled\n" for name in names))
    await jobs.run(courses(program), "student_key,course_id,status\n" + "".join(f"{n},ANL-101,active\n" for n in names))
    await jobs.run("enrollments", "username,course_id\n" + "".join(f"{name},{OPEN}\n" for name in names))
    files = {
        keys(program): "student_key,status\ngrace,canceled\nADA,ended\nalan,pending\nnew,suspended\n",
        courses(
            program
        ): "student_key,course_id,status\ngrace,ANL-101,inactive\nADA,ANL-101,inactive\nz,ANL-101,inactive\n",
        "enrollments": f"username,course_id,is_active\ngrace,{OPEN},no\nada,{OPEN},0\nnobody,{OPEN},False\n",
    }
    for path, file in files.items():
        job = await jobs.run(f"{path}?{query}", file)
        assert job["state"] == state, (path, job)
        if state == "Failed":
            assert job["error"]["code"] == "too_many_drops"
            assert (job["error"]["drops"], job["error"]["held"]) == (2, 4)
            assert (job["text"], job["result"]) == (None, None)
    if state == "Failed":
        assert [status for _, status in await statuses(db)] == ["enrolled"] * 4
        assert await db.fetchval("select count(*) from program_course_enrollment where status = 'active'") == 4
        assert await world.state("grace") == ("audit", True)


async def test_a_whole_job_is_undone(jobs, program, world, db):
    await world.account("grace", "ada", "alan")
    for number, name in enumerate(("grace", "ada", "alan")):
        await world.link(number, name, f"k{number}")
    await world.enrolled("ada", OPEN, "audit")
    await jobs.run(keys(program), "student_key,status\nk0,enrolled\nk1,enrolled\nk2,enrolled\n")
    await jobs.run(courses(program), "student_key,course_id,status\nk2,ANL-101,active\n")
    written = await jobs.run(
        courses(program),
        "student_key,course_id,status\nk0,ANL-101,active\nk1,ANL-101,active\nk2,ANL-101,inactive\n",
    )
    assert [await world.state(name) for name in ("grace", "ada", "alan")] == [
        ("masters", True),
        ("masters", True),
        ("masters", False),
    ]
    undo = await jobs.done(await jobs.send("POST", f"jobs/{written['job_id']}/undo"))
    assert (undo["undo_of"], undo["text"], undo["outcomes"]) == (written["job_id"], "200", {"undone": 6})
    assert [await world.state(name) for name in ("grace", "ada", "alan")] == [
        ("masters", False),
        ("audit", True),
        ("masters", True),
    ]
    assert await db.fetch("select status from program_course_enrollment") == [("active",)]
    again = await jobs.send("POST", f"jobs/{written['job_id']}/undo")
    assert (again.status_code, again.json()["error_code"]) == (409, "not_undoable")


async def test_undo_leaves_what_was_changed_since(jobs, program, world, db, client):
    job = await jobs.run(keys(program), "student_key,status\na,enrolled\nb,enrolled\nc,enrolled\n")
    await jobs.run(courses(program), "student_key,course_id,status\nc,ANL-101,active\n")
    body = [{"student_key": "b", "status": "suspended"}]
    url = f"/api/program_enrollments/v1/programs/{program}/enrollments/"
    assert (await client.send("PATCH", url, a_caller("registrar", staff=True), json=body)).status_code == 200
    undo = await jobs.done(await jobs.send("POST", f"jobs/{job['job_id']}/undo"))
    assert undo["outcomes"] == {"undone": 1, "changed-since": 2}
    assert await statuses(db) == [("b", "suspended"), ("c", "enrolled")]


async def test_undo_of_plain_enrollments(jobs, program, world, db):
    await world.account("grace", "ada")
    await world.enrolled("ada", OPEN, "honor", is_active=False)
    job = await jobs.run("enrollments", PLAIN)
    assert await world.state("ada") == ("verified", True)
    undo = await jobs.done(await jobs.send("POST", f"jobs/{job['job_id']}/undo"))
    assert (undo["text"], undo["outcomes"]) == ("200", {"undone": 3})
    assert (await world.state("grace"), await world.state("ada")) == (("audit", False), ("honor", False))
    await world.account("new")
    assert await world.state("new") is None


async def test_one_job_writes_at_a_time(jobs, program, world):
    first = await jobs.post(keys(program), "student_key,status\na,enrolled\n")
    for path in (keys(program), f"{courses(program)}?dry_run=1"):
        refused = await jobs.post(path, "student_key,course_id,status\na,ANL-101,active\n")
        assert (refused.status_code, refused.json()["error_code"]) == (409, "job_in_progress")
        assert refused.json()["job_id"] == first.json()["job_id"]
    assert (await jobs.send("GET", keys(program))).status_code == 202
    assert (await jobs.post("enrollments", f"username,course_id\na,{OPEN}\n")).status_code == 202
    assert (await jobs.post("enrollments", f"username,course_id\na,{OPEN}\n")).status_code == 409
    await jobs.done(first)
    assert (await jobs.post(keys(program), "student_key,status\na,enrolled\n")).status_code == 202


async def test_the_same_request_again_is_the_same_job(jobs, program):
    file = "student_key,status\na,enrolled\n"
    first = await jobs.post(keys(program), file, idempotency_key="k1")
    again = await jobs.post(keys(program), file, idempotency_key="k1")
    assert (again.status_code, again.json()) == (202, first.json())
    other = await jobs.post(keys(program), "student_key,status\nb,enrolled\n", idempotency_key="k1")
    assert (other.status_code, other.json()["error_code"]) == (422, "idempotency_key_reused")
    bad = await jobs.post(keys(program), file, idempotency_key="x" * 300)
    assert bad.json()["error_code"] == "bad_idempotency_key"


async def test_jobs_are_listed_and_canceled(jobs, program, db):
    answer = await jobs.post(keys(program), "student_key,status\na,enrolled\nb,enrolled\n")
    job_id = answer.json()["job_id"]
    assert answer.headers["location"].endswith(f"/api/enrollment_jobs/v1/jobs/{job_id}")
    assert answer.json()["state"] == "Pending"
    assert [job["job_id"] for job in (await jobs.send("GET", "jobs")).json()["results"]] == [job_id]
    assert (await jobs.send("GET", "jobs?owner=somebody")).json()["results"] == []
    assert (await jobs.send("POST", f"jobs/{job_id}/cancel")).status_code == 202
    job = await jobs.done(answer)
    assert (job["state"], await statuses(db)) == ("Canceled", [])
    assert [row["status"] for row in await jobs.result(job)] == ["not-processed"] * 2
    assert (await jobs.send("POST", f"jobs/{job_id}/cancel")).json()["error_code"] == "job_over"
    assert (await jobs.send("GET", "jobs")).json()["results"] == []
    listed = (await jobs.send("GET", "jobs?state=all&owner=*")).json()
    assert ([one["job_id"] for one in listed["results"]], listed["next"]) == ([job_id], None)


FILES = {
    "no header": ("text/csv", b"", "student_key"),
    "another header": ("text/csv", b"key,status\na,enrolled\n", "student_key"),
    "a column twice": ("text/csv", b"student_key,status,status\na,b,c\n", "twice"),
    "a missing cell": ("text/csv", b"student_key,status\na,enrolled\nb\n", "Line 3"),
    "an empty cell": ("text/csv", b"student_key,status\na,\n", "Line 2"),
    "too many cells": ("text/csv", b"student_key,status\na,enrolled,c,d\n", "Line 2"),
    "a NUL": ("text/csv", b"student_key,status\na\x00,enrolled\n", "Line 2"),
    "a long key": ("text/csv", b"student_key,status\n" + b"k" * 256 + b",enrolled\n", "Line 2"),
    "a huge cell": ("text/csv", b"student_key,status\n" + b"k" * 200_000 + b",enrolled\n", "Line 2"),
    "an open quote": ("text/csv", b'student_key,status\n"a,enrolled\n', "CSV"),
    "Latin 1": ("text/csv", "student_key,status\nZo\u00eb,enrolled\n".encode("latin-1"), "UTF-8"),
    "UTF-16": ("text/csv", "student_key,status\na,enrolled\n".encode("utf-16"), "UTF-8"),
    "a bad curriculum": ("text/csv", b"student_key,status,curriculum_uuid\na,enrolled,x\n", "Line 2"),
    "nothing": ("application/json", b"", "empty"),
    "a number": ("application/json", b"7", "Record 1"),
    "a list of numbers": ("application/json", b"[7]", "Record 1"),
    "cut short": ("application/json", b'[{"student_key": "a", "status": "enrolled"}', "comma"),
    "cut in a record": ("application/json", b'[{"student_key": "a", "sta', "Record 1"),
    "a trailing comma": ("application/json", b'[{"student_key": "a", "status": "enrolled"},]', "Record 2"),
    "more behind": ("application/json", b'[{"student_key": "a", "status": "enrolled"}] x', "behind"),
    "NaN": ("application/json", b'[{"student_key": NaN, "status": "enrolled"}]', "Record 1"),
    "too deep": ("application/json", b'[{"student_key": ' + b"[" * 50_000 + b"}]", "Record 1"),
    "1000 levels": (
        "application/json",
        b'[{"student_key": "a", "status": ' + b"[" * 900 + b"]" * 900 + b"}]",
        "Record 1 is nested too deep",
    ),
    "half a surrogate pair": ("application/json", b'[{"student_key": "\\ud800", "status": "enrolled"}]', "Line 1"),
    "a NUL in JSON": ("application/json", b'[{"student_key": "a\\u0000", "status": "enrolled"}]', "Line 1"),
    "an endless record": ("application/json", b'[{"student_key": "' + b"a" * 300_000, "Record 1"),
    "no status": ("application/x-ndjson", b'{"student_key": "a", "status": "x"}\n{"student_key": "b"}\n', "Line 2"),
    "a form without a file": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
        "file",
    ),
    "a form cut short": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nstudent_key,status\n',
        "form",
    ),
    "a form without a boundary": ("multipart/form-data", b"x", "form"),
}


async def test_a_file_that_cannot_be_read_makes_no_job(jobs, program, db):
    for case, (media_type, file, said) in FILES.items():
        answer = await jobs.post(keys(program), file, media_type)
        assert answer.status_code == 400, (case, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert said in answer.json()["detail"], case
    assert await db.fetchval("select count(*) from enrollment_job") == 0


@pytest.mark.parametrize(
    ("method", "path", "file", "caller", "status", "code"),
    [
        ("POST", "programs/{p}/enrollments", "x", a_caller(None), 401, "not_authenticated"),
        ("POST", "programs/{p}/enrollments", "x", a_caller("alice"), 403, "permission_denied"),
        ("GET", "jobs", None, a_caller("alice"), 403, "permission_denied"),
        ("POST", "programs/nonsense/enrollments", "x", None, 404, "program_does_not_exist"),
        (
            "GET",
            "programs/99c8b7a6-9584-4736-8251-4f3e2d1c0b08/course_enrollments",
            None,
            None,
            404,
            "program_does_not_exist",
        ),
        ("GET", "courses/course-v1:No+No+1/enrollments", None, None, 404, "course_does_not_exist"),
        ("GET", "courses/x%00/enrollments", None, None, 404, "course_does_not_exist"),
        ("GET", "jobs/nonsense", None, None, 404, "job_not_found"),
        ("GET", "jobs/99c8b7a6-9584-4736-8251-4f3e2d1c0b08/result", None, None, 404, "job_not_found"),
        ("POST", "jobs/99c8b7a6-9584-4736-8251-4f3e2d1c0b08/undo", None, None, 404, "job_not_found"),
        ("GET", "jobs?cursor=x", None, None, 400, "bad_option"),
        ("GET", "jobs?cursor=99999999999999999.99c8b7a6-9584-4736-8251-4f3e2d1c0b08", None, None, (200, 400), None),
        ("GET", "jobs?state=odd", None, None, 400, "bad_option"),
        ("GET", "programs/{p}/enrollments?fmt=xml", None, None, 400, "bad_option"),
        ("POST", "programs/{p}/enrollments?max_drops=-1", "x", None, 400, "bad_option"),
        ("POST", "programs/{p}/enrollments?max_drop_percent=101", "x", None, 400, "bad_option"),
        ("POST", "programs/{p}/enrollments?dry_run=perhaps", "x", None, 400, "bad_option"),
        ("POST", "programs/{p}/enrollments", b"<x/>", None, 415, "unsupported_file_type"),
        ("DELETE", "jobs", None, None, 405, "method_not_allowed"),
    ],
)
async def test_refusals_are_problem_documents(jobs, program, method, path, file, caller, status, code):
    more = {} if caller is None else {"caller": caller}
    headers = {"content-type": "application/xml" if isinstance(file, bytes) else "text/csv"}
    content = file if isinstance(file, bytes) else (file or "").encode()
    answer = await jobs.send(method, path.format(p=program), content=content, headers=headers, **more)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    if code:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["error_code"] == code


async def test_a_file_that_is_too_large_is_refused_while_it_comes(jobs, program, resources, db):
    before = resources.settings.job_upload_bytes
    object.__setattr__(resources.settings, "job_upload_bytes", 1000)
    try:
        answer = await jobs.post(keys(program), "student_key,status\n" + "a,enrolled\n" * 200)
    finally:
        object.__setattr__(resources.settings, "job_upload_bytes", before)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "file_too_large")


RUNNER = """
import asyncio, os, signal, sys
from datetime import timedelta
import enrollment.jobs.running as running
from common.resources import open_resources
from enrollment.settings import Settings

running.PIECE = 50
left = int(sys.argv[2])

def die_here(name):
    global left
    if name == sys.argv[1]:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

running.crash.point = die_here

async def main():
    settings = Settings.model_validate_json(sys.stdin.read())
    async with open_resources("enrollment", settings) as resources:
        await running.Runner(resources, timedelta(0), 0.05).run()

asyncio.run(main())
"""


async def test_a_killed_service_goes_on_where_it_was(jobs, program, world, db, resources):
    names = [f"learner{number}" for number in range(500)]
    await world.account(*names[:250])
    await world.account(*names[250:])
    answer = await jobs.post("enrollments", "username,course_id\n" + "".join(f"{name},{OPEN}\n" for name in names))
    settings = resources.settings
    values = {name: getattr(settings, name) for name in ("blobs_url", "http_port", "internal_public_key")}
    values |= {
        "database_url": settings.database_url.get_secret_value(),
        "amqp_url": settings.amqp_url.get_secret_value(),
    }
    values["topology_file"] = str(settings.topology_file)

    async def is_let_go() -> bool:
        """The server has noticed that the process is gone, and with it the lock on the job."""
        return not await db.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory'"
            " and database = (select oid from pg_database where datname = current_database())"
        )

    # killed by SIGKILL before a piece is committed and behind it; how far the job is then
    for place, times, done in (
        ("jobs.before_commit", 3, 100),
        ("jobs.after_commit", 2, 200),
        ("jobs.before_commit", 1, 200),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUNNER, place, str(times), stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(orjson.dumps(values))
        assert process.returncode == -signal.SIGKILL
        assert await db.fetchval("select done from enrollment_job") == done
        await until(is_let_go, what="the lock of the killed process")
    job = await jobs.done(answer)
    assert (job["text"], job["good"]) == ("200", 500)
    assert [row["username"] for row in await jobs.result(job)] == names
    assert await db.fetchval("select count(*) from enrollment where is_active") == 500
    assert await db.fetchval("select count(*) from enrollment_history") == 500
    announced = [change for event in await world.announced() for change in event["changes"]]
    assert len(announced) == 500
