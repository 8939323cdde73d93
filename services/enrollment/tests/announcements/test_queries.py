"""Asked to say everything again, enrollment puts it on the queue of whoever asks, as its events said it."""

from uuid import uuid4

import orjson
import pytest

from common.messaging import Message
from common.testing.identity import a_caller
from enrollment.announcements.queries import COMMAND, announce, read_enrollments

OPEN, OTHER = "course-v1:Org+Open+1", "course-v1:Org+Other+1"
STAFF = a_caller("root", staff=True)
QUEUE = "content.rebuild"


@pytest.fixture
def say_all(resources, db):
    """The bodies of all pages on the asker's queue, as they are sent one after the other."""

    async def _say_all(body):
        pages = []
        for _ in range(20):
            await db.execute("delete from outbox")
            async with resources.sessions.begin() as session:
                await announce(session, [Message(uuid4(), COMMAND, orjson.dumps(body), {})])
            rows = await db.fetch("select routing_key, type, payload::text from outbox order by position")
            bodies = [(row["routing_key"], row["type"], orjson.loads(row["payload"])) for row in rows]
            pages += [said for key, _, said in bodies if key == QUEUE]
            onward = [said for _, type_, said in bodies if type_ == COMMAND]
            if not onward:
                return pages
            body = onward[0]
        raise AssertionError("it goes on for ever")

    return _say_all


def newest(bodies):
    """Every state by what it is of, the last one said."""
    found = {}
    for body in bodies:
        for change in body.get("changes", ()):
            found[change["user_id"], change["course_id"]] = change
        for entry in body.get("entries", ()):
            found[entry["email"], entry["course_id"]] = entry
    return found


async def test_everything_is_said_again_as_its_events_said_it(client, world, say_all):
    await world.account("alice", "bob")
    for course in (OPEN, OTHER):
        await world.course(course)
        assert (await client.enroll(a_caller("alice"), course)).status_code == 200
    assert (await client.enroll(a_caller("bob"))).status_code == 200
    assert (await client.enroll(STAFF, user="bob", is_active=False)).status_code == 200
    assert (await client.enroll(STAFF, OTHER, user="alice", mode="verified")).status_code == 200
    for method, email in (("POST", "New@example.com"), ("POST", "gone@example.com"), ("DELETE", "gone@example.com")):
        answer = await client.send(method, "enrollment_allowed/", STAFF, json={"email": email, "course_id": OPEN})
        assert answer.status_code in (201, 204)
    # a course that is gone is said again as well: its readers have a tombstone to keep
    await world.course(OTHER, deleted=True)
    types = ("enrollment.enrollments.changed.v1", "enrollment.allowed.changed.v1")
    expected = newest([body for type_ in types for body in await world.announced(type_)])
    *pages, end = await say_all({"rebuild": str(uuid4()), "queue": QUEUE})
    assert (end["end"], end["parts"], [page["part"] for page in pages]) == (True, len(pages), [*range(len(pages))])
    assert [page["of"] for page in pages] == list(types)
    found = newest([item for page in pages for item in page["items"]])
    assert found.keys() == expected.keys()
    for key, state in expected.items():
        at = found[key].pop("changed_at", None)
        assert at is None or at[:19] == state.pop("changed_at")[:19]
        assert found[key] == state


async def test_pages_meet_each_enrollment_once(world, resources):
    names = [f"learner{number}" for number in range(7)]
    await world.account(*names)
    await world.course(OPEN)
    for name in names:
        await world.enrolled(name)
    seen, after = [], ""
    while True:
        async with resources.sessions.begin() as session:
            rows = await read_enrollments(session, after, 3)
        if not rows:
            break
        seen += [item["changes"][0]["username"] for _, item in rows]
        after = rows[-1][0]
    assert seen == names


@pytest.mark.parametrize("queue", ["enrollment.events", "x.rebuild.y", "", "a.rebuild\n"])
async def test_only_a_queue_for_rebuilding_is_written_to(say_all, queue):
    with pytest.raises(ValueError, match="queue"):
        await say_all({"rebuild": str(uuid4()), "queue": queue})
