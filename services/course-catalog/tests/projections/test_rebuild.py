"""A rebuild beside live traffic ends in what the owner says, keeps what the catalogue owns, and loses no event."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

import orjson
import pytest

from common.identity import Caller
from common.messaging import Message
from common.messaging.rebuilding.operations import Projection, start
from common.resources import Resources
from common.testing.identity import a_caller
from course_catalog.consumers import subscriptions
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.listings.schemas import ListingRule
from course_catalog.projections.operations import projections
from course_catalog.settings import settings_of

MakeCourse = Callable[..., CourseFacts]
Fact = CourseFacts | CourseDeleted
PUBLISHED, DELETED, TEAM = "content.course.published.v1", "content.course.deleted.v1", "content.course_team.changed.v1"
RITA, ALICE, STAFF = a_caller("rita"), a_caller("alice"), a_caller("greta", staff=True)


class Bus(Protocol):
    async def hear(self, *facts: Fact) -> None: ...
    async def role(self, course: CourseFacts, caller: Caller, role: str = "staff") -> None: ...
    async def account(self, caller: Caller) -> None: ...
    async def rule(self, key: str, rule: ListingRule) -> None: ...
    async def announced(self) -> list[dict[str, Any]]: ...


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


class Owner:
    """What another service puts on the rebuild queue, and this service's handlers for that and for live events."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._handlers = {name: handler for one in subscriptions(resources) for name, handler in one.handlers.items()}
        self.rebuild: UUID | None = None
        self.part = 0

    def _projection(self, owner: str) -> Projection:
        every = projections(settings_of(self._resources).course_mode)
        return next(one for one in every if one.owner == owner)

    async def ask(self, owner: str = "content") -> None:
        async with self._resources.sessions.begin() as session:
            self.rebuild = await start(session, self._projection(owner), by="test")
        self.part = 0

    async def hear(self, message_type: str, body: object) -> None:
        message = Message(id=uuid4(), type=message_type, body=orjson.dumps(body), headers={})
        async with self._resources.sessions.begin() as session:
            await self._handlers[message_type](session, [message])

    async def live(self, fact: Fact) -> None:
        await self.hear(DELETED if isinstance(fact, CourseDeleted) else PUBLISHED, fact.model_dump(mode="json"))

    def page(self, of: str, *items: object) -> dict[str, object]:
        part = {"rebuild": self.rebuild, "part": self.part, "of": of, "items": items, "end": False, "parts": None}
        self.part += 1
        return part

    def end(self) -> dict[str, object]:
        return {"rebuild": self.rebuild, "part": self.part, "items": [], "end": True, "parts": self.part}

    async def say(self, part: dict[str, object], owner: str = "content") -> None:
        await self.hear(f"{owner}.announced.v1", part)


@pytest.fixture
def owner(resources: Resources) -> Owner:
    return Owner(resources)


def wire(*facts: Fact) -> list[dict[str, object]]:
    return [fact.model_dump(mode="json") for fact in facts]


async def test_a_rebuild_ends_in_what_the_owner_says(
    owner: Owner, bus: Bus, client: Client, a_course: MakeCourse, resources: Resources
) -> None:
    await bus.hear(a_course("Same"), a_course("Wrong", version=9), a_course("Ghost"), a_course("Gone"))
    await bus.rule(a_course("Missing").course_id, ListingRule(audience="authenticated"))
    await bus.role(a_course("Wrong"), RITA)
    before = {item["course_id"]: item["version"] for item in await bus.announced()}
    await owner.ask()
    first = owner.page(PUBLISHED, *wire(a_course("Same"), a_course("Wrong", version=4, display_name="Right")))
    second = owner.page(PUBLISHED, *wire(a_course("Missing")))
    third = owner.page(DELETED, *wire(CourseDeleted(course_id=a_course("Gone").course_id, version=3)))
    member = {"user_id": ALICE.user_id, "username": "alice", "role": "staff", "version": 1, "removed": False}
    fourth = owner.page(TEAM, {"course_id": a_course("Missing").course_id, "version": 1, "members": [member]})
    for part in (fourth, owner.end(), first, third):
        await owner.say(part)
        assert len(await client.ids()) == 4, "nothing is seen of it before it is whole"
    await owner.say(second)
    assert await client.ids("/api/courses/v1/courses/?username=greta", STAFF) == [
        f"course-v1:Org+{name}+1" for name in ("Missing", "Same", "Wrong")
    ]
    assert await client.ids("/api/courses/v1/courses/?search_term=right") == ["course-v1:Org+Wrong+1"]
    assert "course-v1:Org+Missing+1" not in await client.ids()
    ids = "/api/courses/v1/course_ids/?role=staff&username="
    held = [await client.body(f"{ids}{who.username}", who) for who in (RITA, ALICE)]  # type: ignore[attr-defined]
    assert [each["results"] for each in held] == [[], ["course-v1:Org+Missing+1"]]
    news = [item for item in await bus.announced() if item["version"] > before.get(item["course_id"], 0)]
    assert {item["course_id"].split("+")[1]: item["deleted"] for item in news} == {
        "Wrong": False,
        "Ghost": True,
        "Gone": True,
        "Missing": False,
    }
    assert await resources.pool.fetchval("select count(*) from course_shadow") == 0
    await bus.hear(CourseDeleted(course_id=a_course("Ghost").course_id, version=1))
    assert len(await client.ids()) == 2


async def test_what_is_right_already_is_not_written_again_and_what_changed_since_is(
    owner: Owner, bus: Bus, client: Client, a_course: MakeCourse, resources: Resources
) -> None:
    """Writers wait while a swap is made: it holds only what its page did not find to be so."""
    names = ("Same", "Ruled", "Moded", "Damaged")
    await bus.hear(*(a_course(name, version=2) for name in names), a_course("Dead"))
    dead = CourseDeleted(course_id=a_course("Dead").course_id, version=2)
    await bus.hear(dead)
    await owner.ask()
    await owner.say(owner.page(PUBLISHED, *wire(*(a_course(name, version=2) for name in names))))
    await owner.say(owner.page(DELETED, *wire(dead)))
    await bus.rule(a_course("Ruled").course_id, ListingRule(audience="authenticated"))
    await bus.modes(a_course("Moded").course_id, [("honor", None)])  # type: ignore[attr-defined]
    await resources.pool.execute(
        "update course set visible_to_staff_only = true, version = version + 1 where course_key like '%Damaged%'"
    )
    before = {item["course_id"]: item["version"] for item in await bus.announced()}
    written = "select course_key, xmin::text from course where course_key not like '%Damaged%' order by 1"
    as_it_was = await resources.pool.fetch(written)
    await owner.say(owner.end())
    assert await resources.pool.fetch(written) == as_it_was
    news = [item["course_id"] for item in await bus.announced() if item["version"] > before[item["course_id"]]]
    assert news == ["course-v1:Org+Damaged+1"]
    assert await client.ids() == [f"course-v1:Org+{name}+1" for name in ("Damaged", "Moded", "Same")]
    unruled = await client.ids("/api/courses/v1/courses/?username=greta", STAFF)
    assert unruled == [f"course-v1:Org+{name}+1" for name in sorted(names)]


async def test_what_happens_meanwhile_is_in_both_tables(
    owner: Owner, bus: Bus, client: Client, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A"), a_course("B"))
    await owner.ask()
    await owner.live(a_course("New"))
    await owner.live(CourseDeleted(course_id=a_course("B").course_id, version=5))
    await owner.say(owner.page(PUBLISHED, *wire(a_course("A"), a_course("B", version=4))))
    await owner.live(a_course("A", version=2, display_name="Newest"))
    assert await client.ids() == ["course-v1:Org+A+1", "course-v1:Org+New+1"]
    await owner.say(owner.end())
    assert await client.ids() == ["course-v1:Org+A+1", "course-v1:Org+New+1"]
    assert await client.ids("/api/courses/v1/courses/?search_term=newest") == ["course-v1:Org+A+1"]
    await owner.live(a_course("B", version=4))
    assert "course-v1:Org+B+1" not in await client.ids()


async def test_pages_of_an_earlier_asking_are_ignored(
    owner: Owner, bus: Bus, client: Client, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A"))
    await owner.ask()
    stale, stale_end = owner.page(PUBLISHED, *wire(a_course("Stale"))), owner.end()
    await owner.ask()
    await owner.say(stale)
    await owner.say(stale_end)
    assert await client.ids() == ["course-v1:Org+A+1"]
    await owner.say(owner.page(PUBLISHED, *wire(a_course("Fresh"))))
    await owner.say(owner.end())
    await owner.say(stale)
    assert await client.ids() == ["course-v1:Org+Fresh+1"]


async def test_accounts_are_rebuilt_too(owner: Owner, bus: Bus, resources: Resources) -> None:
    for caller in (RITA, ALICE):
        await bus.account(caller)
    await owner.ask("gateway")
    user = {"user_id": 5, "username": "new", "email": "n@example.com", "version": 2}
    await owner.say(owner.page("accounts.user.changed.v1", {"users": [user]}), "gateway")
    changed = {"user_id": ALICE.user_id, "username": "alice2", "email": "a@example.com", "version": 9}
    await owner.hear("accounts.user.changed.v1", {"users": [changed]})
    await owner.say(owner.end(), "gateway")
    rows = await resources.pool.fetch("select username from account order by username")
    assert [row["username"] for row in rows] == ["alice2", "new"]


async def _replay(owner: Owner, bus: Bus, resources: Resources, a_course: MakeCourse, courses: int, batch: int) -> None:
    """The same catalogue, whichever way it was come to: in order, in random order with duplicates, and by a rebuild."""
    chance = random.Random(7)
    facts: list[Fact] = []
    last: list[Fact] = []
    for number in range(courses):
        name = f"C{number:05}"
        own: list[Fact] = [
            a_course(name, version=v, display_name=f"{name} v{v}", visible_to_staff_only=chance.random() < 0.2)
            for v in range(1, 5)
        ]
        if number % 4 == 0:
            own.append(CourseDeleted(course_id=own[0].course_id, version=5))
        facts += own
        last.append(own[-1])
    state = """select c.course_key, c.content_version, c.deleted,
                 case when not c.deleted then c.visible_to_staff_only end, case when not c.deleted then d.item end
               from course c join course_document d using (course_key) order by c.pos"""

    async def catalogue() -> list[tuple[object, ...]]:
        return [tuple(row) for row in await resources.pool.fetch(state)]

    for start_at in range(0, len(last), 200):
        await bus.hear(*last[start_at : start_at + 200])
    expected = await catalogue()
    await resources.pool.execute("truncate course cascade")
    shuffled = facts + chance.sample(facts, len(facts) // 5)
    chance.shuffle(shuffled)
    for start_at in range(0, len(shuffled), batch):
        await bus.hear(*shuffled[start_at : start_at + batch])
    assert await catalogue() == expected
    # a rebuild of a damaged table, with the newer half of the history coming in live
    await resources.pool.execute("update course set visible_to_staff_only = true, content_version = 0")
    await owner.ask()
    early = [fact for fact in last if fact.version == 4]
    for start_at in range(0, len(early), 500):
        await owner.say(owner.page(PUBLISHED, *wire(*early[start_at : start_at + 500])))
    for fact in last:
        if fact.version == 5:
            await owner.live(fact)
    await owner.say(owner.end())
    assert await catalogue() == expected


async def test_events_in_random_order_with_duplicates_and_a_rebuild_give_the_same_catalogue(
    owner: Owner, bus: Bus, resources: Resources, a_course: MakeCourse
) -> None:
    await _replay(owner, bus, resources, a_course, courses=40, batch=25)


@pytest.mark.torture
@pytest.mark.timeout(900)
async def test_ten_thousand_events_in_random_order_give_the_same_catalogue(
    owner: Owner, bus: Bus, resources: Resources, a_course: MakeCourse
) -> None:
    await _replay(owner, bus, resources, a_course, courses=2_400, batch=100)


async def test_a_retired_person_is_forgotten(
    owner: Owner, bus: Bus, resources: Resources, a_course: MakeCourse
) -> None:
    await bus.account(ALICE)
    rule = ListingRule(audience="listed", invitees=["ALICE", "alice@example.com", "bob"])
    await bus.rule(a_course().course_id, rule)
    user = {
        "user_id": ALICE.user_id,
        "former_username": "alice",
        "former_email": "alice@example.com",
        "username": "retired_1",
        "email": "retired_1@retired.invalid",
        "version": 2,
        "retired_at": datetime.now(UTC).isoformat(),
    }
    await owner.hear("accounts.user.retired.v1", {"users": [user]})
    assert await resources.pool.fetchval("select invitees from course_own") == ["bob"]
    row = await resources.pool.fetchrow("select username, email, is_active from account")
    assert tuple(row) == ("retired_1", "retired_1@retired.invalid", False)
