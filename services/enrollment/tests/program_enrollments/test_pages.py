"""Lists of program enrollments by cursor, and what learners may ask."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from common.testing.identity import a_caller
from enrollment.program_enrollments.learners import run_status
from enrollment.program_enrollments.queries import page_size

CURRICULUM = "00000000-1111-2222-3333-444444444444"
STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1"
OPEN = "course-v1:Org+Open+1"
FUTURE_RUN = "course-v1:Org+Later+1"


@pytest.fixture
async def program(client, world):
    await world.course(OPEN)
    await world.course("course-v1:Org+Out+1")
    await world.account("grace")
    await world.link(1, "grace", "k1")
    uuid = await world.program(1, OPEN)
    records = [
        {"student_key": f"k{number}", "status": "enrolled", "curriculum_uuid": CURRICULUM} for number in range(5)
    ]
    assert (await client.send("POST", f"{BASE}/programs/{uuid}/enrollments/", STAFF, json=records)).status_code == 201
    courses = [{"student_key": f"k{number}", "status": "active"} for number in range(5)]
    url = f"{BASE}/programs/{uuid}/courses/{OPEN}/enrollments/"
    assert (await client.send("POST", url, STAFF, json=courses)).status_code == 200
    return uuid


def lists(program):
    return (f"{BASE}/programs/{program}/enrollments/", f"{BASE}/programs/{program}/courses/{OPEN}/enrollments/")


async def test_records_have_exactly_the_first_four_fields(client, program):
    whole, course = [(await client.send("GET", url, STAFF)).json() for url in lists(program)]
    assert list(whole) == ["next", "previous", "results"]
    assert whole["results"][:2] == [
        {"student_key": "k0", "status": "enrolled", "account_exists": False, "curriculum_uuid": CURRICULUM},
        {"student_key": "k1", "status": "enrolled", "account_exists": True, "curriculum_uuid": CURRICULUM},
    ]
    assert course["results"][0] == {
        "student_key": "k0",
        "status": "active",
        "account_exists": False,
        "curriculum_uuid": CURRICULUM,
    }
    more = (await client.send("GET", f"{lists(program)[0]}?fields=username,email,x", STAFF)).json()["results"]
    assert [(one["username"], one["email"]) for one in more[:2]] == [("", ""), ("grace", "grace@example.com")]


async def test_pages_are_walked_both_ways(client, program):
    for url in lists(program):
        seen, place, previous = [], f"{url}?page_size=2", None
        while place:
            page = (await client.send("GET", place, STAFF)).json()
            seen.append([one["student_key"] for one in page["results"]])
            place, previous = page["next"], page["previous"]
            for link in (place, previous):
                if link:
                    parts = urlsplit(link)
                    assert parts.query.startswith("cursor=")
                    assert (parts.scheme, parts.path) == ("http", url)
                    assert dict(parse_qsl(parts.query))["page_size"] == "2"
            place = place and place.split("lectern.test")[-1]
            place = urlsplit(place)._replace(scheme="", netloc="").geturl() if place else None
        assert seen == [["k0", "k1"], ["k2", "k3"], ["k4"]]
        back = urlsplit(previous)._replace(scheme="", netloc="").geturl()
        page = (await client.send("GET", back, STAFF)).json()
        assert [one["student_key"] for one in page["results"]] == ["k2", "k3"]
        assert page["next"]
        back = urlsplit(page["previous"])._replace(scheme="", netloc="").geturl()
        page = (await client.send("GET", back, STAFF)).json()
        assert [one["student_key"] for one in page["results"]] == ["k0", "k1"]
        assert page["previous"] is None


def cursor(text):
    return base64.b64encode(text.encode()).decode()


PLACES = [
    ("cursor=", 200, 5),
    ("cursor=!!!", 200, 5),
    ("cursor=abc", 404, None),
    (f"cursor={cursor('p=x')}", 404, None),
    (f"cursor={cursor('p=' + '9' * 30)}", 404, None),
    (f"cursor={cursor('p=9223372036854775807')}", 200, 0),
    (f"cursor={cursor('p=-5')}", 200, 5),
    (f"cursor={cursor('p=-9223372036854775807&r=1')}", 200, 0),
    (f"cursor={cursor('r=2&p=1')}", 404, None),
    (f"cursor={cursor('r=1')}&page_size=2", 200, 2),
    ("cursor=" + "A" * 3000, 200, 5),
    ("cursor=%00", 200, 5),
    ("cursor=%C3%A9", 404, None),
    ("page_size=0", 200, 5),
    ("page_size=-3", 200, 5),
    ("page_size=abc", 200, 5),
    ("page_size=%D9%A3", 200, 5),
    ("page_size=3", 200, 3),
    ("page_size=" + "9" * 40, 200, 5),
    ("page_size=2&page_size=3", 200, 3),
]


@pytest.mark.parametrize("number", [0, 1])
async def test_cursors_and_sizes_as_clients_send_them(client, program, number):
    for query, status, count in PLACES:
        answer = await client.send("GET", f"{lists(program)[number]}?{query}", STAFF)
        assert answer.status_code == status, query
        if count is None:
            assert answer.json()["developer_message"] == "Invalid cursor"
        else:
            assert len(answer.json()["results"]) == count
            for link in (answer.json()["next"], answer.json()["previous"]):
                around = link and urlsplit(link)._replace(scheme="", netloc="").geturl()
                assert around is None or (await client.send("GET", around, STAFF)).status_code == 200, link


@pytest.mark.parametrize(
    ("text", "size", "learners_size"),
    [(None, 100, 10), ("7", 7, 7), ("+7", 7, 7), ("007", 7, 7), ("25", 25, 25), ("26", 26, 25), ("1000", 1000, 25),
     ("1001", 1000, 25), ("9" * 5000, 1000, 25), ("0", 100, 10), ("-1", 100, 10), ("1e3", 100, 10), ("٣", 100, 10)],
)  # fmt: skip
def test_sizes_of_pages_have_a_default_and_a_silent_cap(text, size, learners_size):
    assert page_size(text) == size
    assert page_size(text, default=10, most=25) == learners_size


@pytest.mark.parametrize(
    ("starts", "ends", "status"),
    [(None, None, "upcoming"), (1, None, "upcoming"), (-1, None, "in_progress"), (-1, 1, "in_progress"),
     (-2, -1, "completed"), (1, 2, "upcoming")],
)  # fmt: skip
def test_a_run_is_upcoming_in_progress_or_completed(starts, ends, status):
    now = datetime(2026, 5, 1, tzinfo=UTC)
    first, last = (None if days is None else now + timedelta(days=days) for days in (starts, ends))
    assert run_status(first, last, now) == status


async def test_a_learners_courses_are_walked_both_ways(client, world):
    keys = [f"course-v1:Org+Run{number}+1" for number in range(30)]
    for key in keys:
        await world.course(key, start="2020-01-01T00:00:00Z", modes=[{"slug": "verified", "name": "V"}])
    uuid = await world.program(1, *keys, type="MicroMasters", title="All of it")
    grace = a_caller("grace")
    await world.account("grace")
    await world.link(1, "grace", "k")
    body = [{"student_key": "k", "status": "enrolled", "curriculum_uuid": CURRICULUM}]
    assert (await client.send("POST", f"{BASE}/programs/{uuid}/enrollments/", STAFF, json=body)).status_code == 201
    for key in keys:
        await world.enrolled("grace", key, "verified")
    url = f"{BASE}/users/grace/programs/{uuid}/courses"
    for query, count in (("", 10), ("?page_size=26", 25), ("?page_size=x", 10)):
        assert len((await client.send("GET", url + query, grace)).json()["results"]) == count
    seen, place, previous = [], f"{url}?page_size=12", None
    while place:
        page = (await client.send("GET", place, grace)).json()
        seen.append([run["course_run_id"] for run in page["results"]])
        assert {
            (run["micromasters_title"], run["course_run_status"], run["start_date"]) for run in page["results"]
        } == {("All of it", "in_progress", "2020-01-01T00:00:00Z")}
        place, previous = (
            page["next"] and urlsplit(page["next"])._replace(scheme="", netloc="").geturl(),
            page["previous"],
        )
    assert seen == [keys[:12], keys[12:24], keys[24:]]
    page = (await client.send("GET", urlsplit(previous)._replace(scheme="", netloc="").geturl(), grace)).json()
    assert [run["course_run_id"] for run in page["results"]] == keys[12:24]
    assert page["next"]
    for text in ("p=-5", "p=9223372036854775807", "r=1", "p=3&r=1", "p=9223372036854775807&r=1"):
        answer = await client.send("GET", f"{url}?cursor={cursor(text)}", grace)
        assert answer.status_code == 200, text
        for link in (answer.json()["next"], answer.json()["previous"]):
            around = link and urlsplit(link)._replace(scheme="", netloc="").geturl()
            assert around is None or (await client.send("GET", around, grace)).status_code == 200, link
    for text in ("p=x", "r=2&p=1", "p=" + "9" * 40):
        assert (await client.send("GET", f"{url}?cursor={cursor(text)}", grace)).status_code == 404, text


async def test_lists_of_courses_outside_the_program_and_unknown_ones(client, program):
    url = f"{BASE}/programs/{program}/courses/course-v1:Org+Out+1/enrollments"
    assert (await client.send("GET", url, STAFF)).json() == {"next": None, "previous": None, "results": []}
    answer = await client.send("GET", f"{BASE}/programs/{program}/courses/course-v1:No+No+1/enrollments/", STAFF)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "course_does_not_exist")
    assert answer.json()["developer_message"] == "Unknown course course-v1:No+No+1"


async def test_nobody_keeps_grades(client, program):
    answer = await client.send("GET", f"{BASE}/programs/{program}/courses/{OPEN}/grades/", STAFF)
    assert (answer.status_code, answer.content) == (204, b"")
    out = await client.send("GET", f"{BASE}/programs/{program}/courses/course-v1:Org+Out+1/grades/", STAFF)
    assert (out.status_code, out.json()["error_code"]) == (404, "course_not_in_program")


async def test_learners_see_their_courses(client, program, world):
    grace, ada = a_caller("grace"), a_caller("ada")
    url = f"{BASE}/programs/{program}/overview/"
    runs = (await client.send("GET", url, grace)).json()["course_runs"]
    assert [(run["course_run_id"], run["course_run_status"], run["due_dates"]) for run in runs] == [
        (OPEN, "upcoming", [])
    ]
    assert runs[0]["course_run_url"].startswith("http")
    page = await client.send("GET", f"{BASE}/users/grace/programs/{program}/courses?page_size=1", grace)
    assert page.json() == {"next": None, "previous": None, "results": runs}
    for caller, place, status in (
        (a_caller(None), url, 401),
        (ada, url, 403),
        (grace, f"{BASE}/programs/99c8b7a6-9584-4736-8251-4f3e2d1c0b08/overview", 404),
        (a_caller("registrar", staff=True), f"{BASE}/users/grace/programs/{program}/courses", 403),
        (grace, f"{BASE}/users/Grace/programs/{program}/courses/", 403),
    ):
        answer = await client.send("GET", place, caller)
        assert answer.status_code == status
        assert "developer_message" in answer.json()
    body = [{"student_key": "k1", "status": "suspended"}]
    assert (await client.send("PATCH", lists(program)[0], STAFF, json=body)).status_code == 200
    assert (await client.send("GET", url, grace)).status_code == 403


async def test_programs_one_has_to_do_with(client, program, world):
    await world.program(2, OPEN, type="MicroMasters")
    await world.program(3, type="Masters")
    await world.team(OPEN, "teacher")
    for path in ("programs/enrollments/", "programs/readonly_access"):
        names = {
            who.username: {one["slug"] for one in (await client.send("GET", f"{BASE}/{path}", who)).json()}
            for who in (STAFF, a_caller("grace"), a_caller("teacher"), a_caller("nobody"))
        }
        assert names == {
            "registrar": {"masters/1", "masters/3"},
            "grace": {"masters/1"},
            "teacher": {"masters/1"},
            "nobody": set(),
        }
    found = await client.send("GET", f"{BASE}/programs/enrollments/?type=MicroMasters", a_caller("teacher"))
    assert [one["slug"] for one in found.json()] == ["masters/2"]
    assert (await client.send("GET", f"{BASE}/programs/enrollments/", a_caller(None))).status_code == 401
    assert (await client.send("GET", f"{BASE}/programs/enrollments/?type=%00", STAFF)).json() == []
