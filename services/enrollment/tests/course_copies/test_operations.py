"""Copies of courses: whatever the order, the newest version is what stays."""

from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from common.testing.identity import a_caller
from enrollment.account_copies.operations import store_accounts
from enrollment.account_copies.schemas import UserHeard
from enrollment.course_copies.operations import store_courses
from enrollment.course_copies.schemas import CourseHeard, ModeHeard
from enrollment.course_teams.operations import store_teams
from enrollment.course_teams.schemas import MemberHeard, TeamChanged

KEYS = ("course-v1:Org+A+1", "Org/B/1")
SOON = datetime.now(UTC) + timedelta(days=3)


def a_course(key, version):
    slugs = ("audit", "honor", "verified")[: version % 4]
    return CourseHeard(
        course_id=key,
        version=version,
        spelling=key,
        org="Org",
        display_name=f"Version {version}",
        deleted=version % 5 == 0,
        max_enrollments=version if version % 2 else None,
        modes=tuple(
            ModeHeard(slug=slug, name=slug, expiration_datetime=SOON if version % 3 else None) for slug in slugs
        ),
    )


async def state(db):
    courses = await db.fetch("select key, version, deleted, capacity, display_name, details from course order by key")
    modes = await db.fetch(
        "select c.key, m.slug from course_mode m join course c on c.n = m.course_n order by 1, position"
    )
    seats = await db.fetch("select c.key from seat s join course c on c.n = s.course_n order by 1")
    return [tuple(row) for row in courses], [tuple(row) for row in modes], [row["key"] for row in seats]


batches = st.lists(
    st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 12)), min_size=1, max_size=6), min_size=1, max_size=8
)


async def deliver(db, heard):
    for batch in heard:
        async with db.transaction():
            await store_courses(db, [a_course(*each) for each in batch], recount_at=datetime.now(UTC))


@settings(max_examples=25)
@given(heard=batches, chance=st.randoms(use_true_random=False))
async def test_any_order_and_any_repetition_of_versions_ends_in_the_newest(db, heard, chance):
    empty = "delete from seat; delete from course_mode; delete from course"
    await db.execute(empty)
    await deliver(db, heard)
    ends = await state(db)
    newest = {}
    for key, version in (each for batch in heard for each in batch):
        newest[key] = max(newest.get(key, 0), version)
    shuffled = [list(batch) for batch in heard]
    chance.shuffle(shuffled)
    await deliver(db, shuffled)
    assert ends == await state(db)
    await db.execute(empty)
    await deliver(db, [[each] for each in newest.items()])
    assert ends == await state(db)


async def test_details_are_prerendered_and_say_until_when(world):
    key = await world.course(KEYS[0], modes=[{"slug": "verified", "name": "V", "expiration_datetime": SOON}])
    row = await world.db.fetchrow("select details, details_until from course where key = $1", key)
    assert orjson.loads(row["details"])["course_modes"][0]["slug"] == "verified"
    assert row["details_until"] == SOON
    await world.course(KEYS[0])
    assert await world.db.fetchval("select details_until = 'infinity' from course where key = $1", key)


async def test_a_limit_that_comes_later_counts_who_is_in_already(world, client):
    await world.account("alice", "bob", "carol")
    await world.course(KEYS[0])
    await world.team(KEYS[0], "carol")
    for name in ("alice", "bob", "carol"):
        await client.enroll(a_caller(name), KEYS[0])
    await world.course(KEYS[0], max_enrollments=3)
    assert await world.taken(KEYS[0]) == 2
    await world.course(KEYS[0])
    assert await world.taken(KEYS[0]) is None
    await world.course(KEYS[0], max_enrollments=1)
    assert await world.taken(KEYS[0]) == 2


async def test_a_deleted_course_is_kept_as_a_tombstone_and_can_come_back(world, client):
    await world.account("alice")
    await world.course(KEYS[0])
    await client.enroll(a_caller("alice"), KEYS[0])
    await world.course(KEYS[0], deleted=True)
    assert (await client.enroll(a_caller("alice"), KEYS[0])).json()["error_code"] == "course_not_found"
    await world.course(KEYS[0])
    assert (await client.enroll(a_caller("alice"), KEYS[0])).status_code == 200
    assert await world.state("alice", KEYS[0]) == ("audit", True)


class TestOtherCopies:
    async def test_an_older_version_of_an_account_changes_nothing(self, db):
        def user(version, name):
            return UserHeard(user_id=1, username=name, email=f"{name}@example.com", version=version)

        for heard in ([user(3, "new"), user(1, "old")], [user(2, "middle")], [user(3, "again")], []):
            await store_accounts(db, heard, now=datetime.now(UTC))
        assert await db.fetchval("select username from account") == "new"

    async def test_accounts_may_swap_their_names_in_any_order(self, db):
        def user(number, version, name):
            return UserHeard(user_id=number, username=name, email=f"{name}@example.com", version=version)

        for heard in ([user(1, 1, "a"), user(2, 1, "b")], [user(2, 2, "a")], [user(1, 2, "b")]):
            await store_accounts(db, heard, now=datetime.now(UTC))
        rows = await db.fetch("select user_id, username from account order by 1")
        assert [tuple(row) for row in rows] == [(1, "b"), (2, "a")]

    async def test_an_older_version_of_a_team_member_changes_nothing(self, db):
        def team(*members):
            found = [
                MemberHeard(user_id=1, username="a", role="staff", version=version, removed=removed)
                for version, removed in members
            ]
            return TeamChanged(course_id=KEYS[0], members=tuple(found))

        for heard in ([team((2, True), (1, False))], [team((1, False))], [team()]):
            await store_teams(db, heard, recount_at=datetime.now(UTC))
        row = await db.fetchrow("select version, removed from team_member")
        assert tuple(row) == (2, True)
