"""Many enrollments in one call: decided one by one, stored together, in a number of statements that does not grow."""

from datetime import UTC, datetime, timedelta

import pytest

from common.testing.identity import a_caller
from enrollment.enrollments.changes import Origin
from enrollment.enrollments.models import Options, Wish
from enrollment.enrollments.setting import Wanted, set_enrollments

OPEN, CLOSED, LIMITED = (f"course-v1:Org+{name}+1" for name in ("Open", "Closed", "Limited"))
ORIGIN = Origin(source="program", actor="registrar", reason="spring")
MASTERS = Wish(mode="masters", options=Options(any_mode=True), replaces=frozenset({"audit", "honor"}))
ALICE, BOB = a_caller("alice").user_id, a_caller("bob").user_id


@pytest.fixture
def put(resources):
    async def _put(*wanted):
        async with resources.pool.acquire() as connection, connection.transaction():
            decisions = await set_enrollments(connection, wanted, origin=ORIGIN, now=datetime.now(UTC))
        return [(decision.outcome, decision.code) for decision in decisions]

    return _put


@pytest.fixture
async def courses(world):
    await world.account("alice", "bob", "carol")
    await world.course(OPEN)
    await world.course(CLOSED, enrollment_end=datetime.now(UTC) - timedelta(days=1))
    await world.course(LIMITED, max_enrollments=1)
    return world


async def test_each_pair_has_its_decision_and_a_refused_one_harms_no_neighbour(put, courses):
    outcomes = await put(
        Wanted(ALICE, OPEN, Wish(mode="honor")),
        Wanted(424242, OPEN, Wish()),
        Wanted(ALICE, "course-v1:No+Such+Run", Wish()),
        Wanted(ALICE, CLOSED, Wish()),
        Wanted(BOB, CLOSED, Wish(options=Options(ignore_window=True))),
        Wanted(ALICE, LIMITED, Wish()),
        Wanted(BOB, LIMITED, Wish()),
        Wanted(BOB, OPEN, Wish(), cohort="nowhere"),
    )
    assert outcomes == [
        ("enrolled", None),
        ("rejected", "unknown_learner"),
        ("rejected", "unknown_course"),
        ("rejected", "enrollment_closed"),
        ("enrolled", None),
        ("enrolled", None),
        ("rejected", "course_full"),
        ("rejected", "unknown_cohort"),
    ]
    assert await courses.state("alice", OPEN) == ("honor", True)
    assert await courses.state("bob", OPEN) is None
    assert await courses.taken(LIMITED) == 1
    history = await courses.history()
    assert {(row["source"], row["actor"], row["reason"]) for row in history} == {("program", "registrar", "spring")}
    [event] = await courses.announced()
    assert len(event["changes"]) == len(history) == 3


@pytest.mark.parametrize(
    ("before", "wish", "outcome", "after"),
    [
        (None, MASTERS, ("enrolled", None), ("masters", True)),
        (("audit", True), MASTERS, ("enrolled", None), ("masters", True)),
        (("verified", True), MASTERS, ("unchanged", "already_enrolled"), ("verified", True)),
        (("verified", False), MASTERS, ("enrolled", None), ("masters", True)),
        (None, Wish(mode="masters"), ("rejected", "mode_unavailable"), None),
        (("honor", True), None, ("unenrolled", None), ("honor", False)),
        (("honor", False), None, ("unchanged", "not_enrolled"), ("honor", False)),
        (None, None, ("unchanged", "not_enrolled"), None),
        (None, Wish(is_active=False), ("unenrolled", None), ("audit", False)),
    ],
)
async def test_what_a_wish_does_to_what_is_there(put, courses, before, wish, outcome, after):
    if before:
        await courses.enrolled("alice", OPEN, before[0], is_active=before[1])
    assert await put(Wanted(ALICE, OPEN, wish)) == [outcome]
    assert await courses.state("alice", OPEN) == after


async def test_older_commands_are_no_matter_to_who_is_no_command(put, courses):
    await courses.enrolled("alice", OPEN)
    await courses.db.execute("update enrollment set commanded_at = now() + interval '4 minutes'")
    assert await put(Wanted(ALICE, OPEN, None)) == [("unenrolled", None)]
    assert await courses.db.fetchval("select commanded_at > now() from enrollment")


async def test_the_number_of_statements_is_the_same_for_one_and_for_a_thousand(resources, world):
    names = [f"learner{n}" for n in range(1000)]
    await world.account(*names)
    await world.course(OPEN)
    counts = []
    async with resources.pool.acquire() as connection:
        for wanted in ([names[0]], names[1:]):
            sent: list[str] = []
            with connection.query_logger(lambda record, sent=sent: sent.append(record.query)):
                async with connection.transaction():
                    pairs = [Wanted(10_000_000 + int(name.removeprefix("learner")), OPEN, Wish()) for name in wanted]
                    await set_enrollments(connection, pairs, origin=ORIGIN, now=datetime.now(UTC))
            counts.append(len(sent))
    assert counts[0] == counts[1] < 20
    assert await world.db.fetchval("select count(*) from enrollment where is_active") == 1000
