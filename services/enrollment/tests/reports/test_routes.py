"""Reports: counts that are exact, and an export whose memory does not grow and whose cells are no formulas."""

import csv
import io
import tracemalloc

import pytest

from common.testing.identity import a_caller
from enrollment.reports.exports import open_export, stream_csv

OPEN, FEW = "course-v1:Org+Open+1", "course-v1:Org+Few+1"
STAFF, TEACHER, ALICE, SERVER = (
    a_caller("root", staff=True), a_caller("teacher"), a_caller("alice"), a_caller(None, api_key=True)
)  # fmt: skip


@pytest.fixture
async def courses(world):
    await world.account("alice", "bob", "carol", "teacher")
    await world.course(OPEN)
    await world.course(FEW, max_enrollments=9)
    await world.team(OPEN, "teacher")
    await world.enrolled("alice", OPEN, "verified")
    await world.enrolled("bob", OPEN, is_active=False)
    await world.enrolled("carol", OPEN)
    await world.enrolled("alice", FEW)
    return world


async def test_counts_by_course_mode_and_state(client, courses):
    one = (await client.send("GET", f"reports/courses/{OPEN}", TEACHER)).json()
    assert one == {
        "course_id": OPEN,
        "active": 2,
        "inactive": 1,
        "capacity": None,
        "seats_taken": None,
        "counts": [
            {"mode": "audit", "is_active": True, "count": 1},
            {"mode": "audit", "is_active": False, "count": 1},
            {"mode": "verified", "is_active": True, "count": 1},
        ],
    }
    page = (await client.send("GET", "reports/courses/", STAFF)).json()
    assert page["next"] is None
    assert page["results"][0] == one
    assert (page["results"][1]["active"], page["results"][1]["capacity"], page["results"][1]["seats_taken"]) == (
        1,
        9,
        1,
    )


async def test_pages_of_courses_meet_each_course_once(client, world):
    for number in range(205):
        await world.db.execute(
            "insert into course (key, spelling, org, version) values ($1, $1, 'O', 1)", f"course-v1:O+C+{number:03}"
        )
    seen, path = [], "reports/courses/"
    while path:
        page = (await client.send("GET", path, STAFF)).json()
        seen += [one["course_id"] for one in page["results"]]
        path = page["next"] and page["next"].split("/api/enrollment/v1/")[1]
    assert seen == [f"course-v1:O+C+{number:03}" for number in range(205)]


async def test_a_course_as_csv(client, courses):
    await courses.cohort(OPEN, "=cmd|' /C calc'!A0")
    await courses.db.execute("insert into cohort_membership select e.user_id, e.course_n, k.id from enrollment e"
                             " join cohort k using (course_n) order by e.id limit 1")  # fmt: skip
    await courses.account("carol", email="+1@example.com")
    answer = await client.send("GET", f"reports/courses/{OPEN}/enrollments.csv", TEACHER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="course-v1_Org_Open_1_enrollments.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["username"], line["mode"], line["is_active"], line["email"], line["cohort"]) for line in lines] == [
        ("alice", "verified", "t", "alice@example.com", "'=cmd|' /C calc'!A0"),
        ("bob", "audit", "f", "bob@example.com", ""),
        ("carol", "audit", "t", "'+1@example.com", ""),
    ]
    assert lines[0]["created"].endswith("Z")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
async def test_no_cell_is_a_formula(client, courses, first):
    await courses.account("alice", username=f"{first}alice", email=f"{first}a@example.com")
    answer = await client.send("GET", f"reports/courses/{FEW}/enrollments.csv", STAFF)
    [line] = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert line["username"] == f"'{first}alice"
    assert line["email"] == f"'{first}a@example.com"


@pytest.mark.parametrize("path", [f"reports/courses/{OPEN}", f"reports/courses/{OPEN}/enrollments.csv"])
@pytest.mark.parametrize(("caller", "status"), [(None, 401), (SERVER, 401), (ALICE, 403), (TEACHER, 200), (STAFF, 200)])
async def test_who_may(client, courses, path, caller, status):
    assert (await client.send("GET", path, caller)).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [("courses/nope", 404), ("courses/course-v1:No+Such+Run", 404),
     ("courses/course-v1:No+Such+Run/enrollments.csv", 404),
     ("courses/?cursor=x", 400), ("courses/?cursor=-1", 400), ("courses/?cursor=9999999999999999999", 400),
     ("courses/?cursor=٣", 400)],
)  # fmt: skip
async def test_refusals(client, courses, path, status):
    answer = await client.send("GET", f"reports/{path}", STAFF)
    assert answer.status_code == status
    assert answer.json()["error_code"]


@pytest.mark.parametrize(
    "rows", [20_000, pytest.param(1_000_000, marks=[pytest.mark.torture, pytest.mark.timeout(600)])]
)
async def test_memory_does_not_grow_with_the_course(resources, world, rows):
    await world.course(OPEN)
    await world.db.execute(
        "insert into account (user_id, username, email, is_active, is_staff, version)"
        " select n, 'u' || n, 'u' || n || '@example.com', true, false, 1 from generate_series(1, $1) n",
        rows,
    )
    await world.db.execute(
        "insert into enrollment (user_id, course_n, mode, is_active)"
        " select a.user_id, c.n, 'audit', true from account a, course c where c.key = $1 and a.user_id <= $2",
        OPEN,
        rows,
    )
    await world.db.execute("analyze account, enrollment")
    n = await world.db.fetchval("select n from course where key = $1", OPEN)
    lines = size = 0
    tracemalloc.start()
    try:
        async for piece in stream_csv(await open_export(resources.settings.database_url), n):
            lines += piece.count(b"\n")
            size += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == rows + 1
    assert size > 40 * rows
    assert peak < 2_000_000


async def test_a_reader_who_goes_away_leaves_nothing_behind(resources, courses):
    n = await courses.db.fetchval("select n from course where key = $1", OPEN)
    connection = await open_export(resources.settings.database_url)
    stream = stream_csv(connection, n)
    await anext(stream)
    await stream.aclose()
    assert connection.is_closed()
