"""The bulk call: upstream's messages, an outcome for each identifier, and no check that would refuse a learner."""

from datetime import UTC, datetime, timedelta

import pytest

from common.testing.identity import a_caller
from enrollment.retirement.operations import retire
from enrollment.retirement.schemas import RetiredHeard

ONE, TWO = "course-v1:Org+One+1", "course-v1:Org+Two+1"
STAFF, ALICE, SERVER = a_caller("root", staff=True), a_caller("alice"), a_caller(None, api_key=True)
REQUIRED, BLANK = ["This field is required."], ["This field may not be blank."]


@pytest.fixture
def bulk(client):
    async def _bulk(body, caller=STAFF, **options):
        return await client.send("POST", "../../bulk_enroll/v1/bulk_enroll", caller, json=body, **options)

    return _bulk


@pytest.fixture
async def courses(world):
    await world.account("alice", "bob")
    await world.account("idle", is_active=False)
    await world.course(ONE)
    await world.course(
        TWO, invitation_only=True, enrollment_end=datetime.now(UTC) - timedelta(days=1), max_enrollments=0
    )
    return world


def asked(identifiers="alice", courses=ONE, action="enroll", **fields):
    return {"action": action, "identifiers": identifiers, "courses": courses, **fields}


def state(user=True, enrollment=False, allowed=False, auto_enroll=False, **more):
    return {"user": user, "enrollment": enrollment, "allowed": allowed, "auto_enroll": auto_enroll, **more}


def result(identifier, before, after):
    return {"identifier": identifier, "before": before, "after": after}


async def results(answer, course=ONE):
    assert answer.status_code == 200, answer.text
    return answer.json()["courses"][course]["results"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"action": REQUIRED, "identifiers": REQUIRED, "courses": REQUIRED}),
        (asked(action="x"), {"action": ['"x" is not a valid choice.']}),
        (asked(action=""), {"action": ['"" is not a valid choice.']}),
        (asked(identifiers=" "), {"identifiers": BLANK}),
        (asked(identifiers=None), {"identifiers": ["This field may not be null."]}),
        (asked(identifiers=["alice"]), {"identifiers": ["Not a valid string."]}),
        (asked(courses="nope"), {"courses": ["Course key not valid: nope"]}),
        (asked(courses=7), {"courses": ["Not a valid string."]}),
        (asked(courses=None), {"courses": ["This field may not be null."]}),
        (asked(auto_enroll="perhaps"), {"auto_enroll": ["Must be a valid boolean."]}),
        (asked(email_students=[]), {"email_students": ["Must be a valid boolean."]}),
        (
            asked(action="unenroll", cohorts="a"),
            {"non_field_errors": ["Cohorts can only be used for enrollments."]},
        ),
        (
            asked(courses=f"{ONE},{TWO}", cohorts="a"),
            {"non_field_errors": ["If provided, the cohorts and courses should have equal number of items."]},
        ),
        (asked(cohorts="nowhere"), {"non_field_errors": [f"cohort nowhere not found in course {ONE}."]}),
        (
            asked(identifiers=",".join(f"u{n}" for n in range(50_001))),
            {
                "non_field_errors": [
                    "Too many pairs of learner and course - 50001. A maximum of 50000 is allowed in one request"
                ]
            },
        ),
    ],
)
async def test_what_is_refused_stores_nothing(bulk, courses, body, wrong):
    answer = await bulk(body)
    assert (answer.status_code, answer.json()) == (400, {**wrong, "error_code": "invalid_request"})
    assert await courses.history() == []


async def test_an_unknown_course_refuses_the_whole_call(bulk, courses):
    answer = await bulk(asked(courses=f"{ONE},course-v1:No+Such+Run"))
    assert (answer.status_code, answer.json()["detail"]) == (404, "Not found.")
    assert await courses.history() == []


@pytest.mark.parametrize(("caller", "status"), [(None, 401), (SERVER, 401), (ALICE, 403)])
async def test_for_global_staff_only(bulk, courses, caller, status):
    assert (await bulk({}, caller)).status_code == status


async def test_no_courses_is_no_mistake(bulk, courses):
    answer = await bulk(asked(courses="", email_students=True))
    assert answer.json() == {"action": "enroll", "auto_enroll": False, "email_students": True, "courses": {}}


async def test_every_kind_of_identifier_has_its_outcome(bulk, courses):
    await courses.enrolled("bob", ONE, "verified")
    text = "alice, bob@example.com\nidle new@example.com\tpercivaloctavius@ alice"
    found = await results(await bulk(asked(text, auto_enroll=True, reason="spring")))
    assert found == [
        result("alice", state(), state(enrollment=True)),
        result("bob@example.com", state(enrollment=True), state(enrollment=True)),
        result("idle", state(), state(allowed=True, auto_enroll=True)),
        result("new@example.com", state(user=False), state(user=False, allowed=True, auto_enroll=True)),
        {"identifier": "percivaloctavius@", "invalidIdentifier": True},
        result("alice", state(enrollment=True), state(enrollment=True)),
    ]
    assert await courses.state("bob", ONE) == ("verified", True)
    [row] = await courses.history()
    assert (row["source"], row["actor"], row["reason"]) == ("bulk", "root", "spring")
    audit = await courses.db.fetch("select email, transition, reason from manual_enrollment order by id")
    assert [(row["email"], row["transition"]) for row in audit] == [
        ("alice@example.com", "from unenrolled to enrolled"),
        ("bob@example.com", "from enrolled to enrolled"),
        ("idle@example.com", "from unenrolled to allowed to enroll"),
        ("new@example.com", "from unenrolled to allowed to enroll"),
        ("alice@example.com", "from enrolled to enrolled"),
    ]
    await courses.account("new")
    await courses.account("idle")
    assert await courses.state("new", ONE) == await courses.state("idle", ONE) == ("audit", True)


async def test_an_address_of_somebody_who_was_forgotten_is_let_in_nowhere(bulk, courses, resources):
    gone = {"user_id": 7, "former_username": "gone", "former_email": "gone@example.com", "version": 1}
    gone |= {"username": "retired__1", "email": "retired__1@retired.invalid", "retired_at": datetime.now(UTC)}
    async with courses.db.transaction():
        await retire(courses.db, [RetiredHeard.model_validate(gone)])
    found = await results(await bulk(asked("Gone@example.com", auto_enroll=True)))
    assert found == [result("Gone@example.com", state(user=False), state(user=False))]
    assert await courses.db.fetchval("select count(*) from enrollment_allowed") == 0
    [row] = await courses.db.fetch("select transition from manual_enrollment")
    assert row["transition"] == "N/A"


async def test_no_window_no_invitation_no_limit(bulk, courses):
    await bulk(asked(courses=[f"{ONE},{TWO}", "never read"]))
    assert await courses.state("alice", TWO) == ("audit", True)
    assert await courses.taken(TWO) == 1


async def test_unenrolling_takes_enrollment_and_entry_back(bulk, courses):
    await courses.enrolled("alice", ONE)
    await courses.allow(ONE, "alice@example.com", bound_to="alice")
    await courses.allow(ONE, "new@example.com")
    found = await results(await bulk(asked("alice new@example.com bob x@example.com", action="unenroll")))
    assert found == [
        result("alice", state(enrollment=True, allowed=True), state()),
        result("new@example.com", state(user=False, allowed=True), state(user=False)),
        result("bob", state(), state()),
        result("x@example.com", state(user=False), state(user=False)),
    ]
    assert await courses.state("alice", ONE) == ("audit", False)
    rows = await courses.db.fetch("select transition from manual_enrollment order by id")
    assert [row["transition"] for row in rows] == [
        "from enrolled to unenrolled",
        "from allowed to enroll to enrolled",
        "from unenrolled to unenrolled",
        "from unenrolled to unenrolled",
    ]
    [event] = await courses.announced("enrollment.allowed.changed.v1")
    assert [one["removed"] for one in event["entries"]] == [True, True]


async def test_cohorts_go_with_their_courses(bulk, courses):
    for course, name in ((ONE, "red"), (ONE, "blue"), (TWO, "green")):
        await courses.cohort(course, name)
    await bulk(asked(courses=ONE, cohorts="red"))
    answer = await bulk(asked("alice new@example.com", courses=f"{ONE},{TWO}", cohorts=["blue,green"]))
    assert await results(answer) == [
        result("alice", state(enrollment=True, cohort="red"), state(enrollment=True, cohort="blue")),
        result("new@example.com", state(user=False, cohort=None), state(user=False, allowed=True, cohort="blue")),
    ]
    assert [await courses.cohort_of("alice", course) for course in (ONE, TWO)] == ["blue", "green"]
    await courses.account("new")
    assert await courses.cohort_of("new", ONE) == "blue"


async def test_a_white_label_course_enrolls_in_honor(bulk, courses):
    await courses.course(ONE, modes=[{"slug": "honor", "name": "Honor", "min_price": 10}])
    await bulk(asked())
    assert await courses.state("alice", ONE) == ("honor", True)


async def test_forms_are_read_too(bulk, courses):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await bulk(
        None, content=b"action=enroll&identifiers=alice&courses=course-v1%3AOrg%2BOne%2B1", headers=headers
    )
    assert (await results(answer))[0]["after"]["enrollment"] is True
