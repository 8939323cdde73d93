"""Asked to say everything again, content puts courses, tombstones and teams on the asker's queue, and their number."""

from uuid import uuid4

import orjson

from common.keys import CourseKey
from content.announcements.queries import COMMAND, announce
from content.events import CourseDeleted, CoursePublished, CourseTeamChanged

QUEUE = "course_catalog.rebuild"


async def _say_all(bus, rebuild, **first):
    """Handle the command and each that follows from it; the pages that went out."""
    resources, pages = bus.resources, []
    body = {"rebuild": str(rebuild), "queue": QUEUE, **first}
    for _ in range(50):
        await resources.pool.execute("delete from outbox")
        async with resources.sessions.begin() as session:
            await announce(session, [bus.message(COMMAND, body)])
        rows = await resources.pool.fetch("select exchange, routing_key, type, payload from outbox order by position")
        pages += [row["payload"] for row in rows if row["type"] == "content.announced.v1"]
        assert all((row["exchange"], row["routing_key"]) == ("", QUEUE) for row in rows if "announced" in row["type"])
        onward = [row["payload"] for row in rows if row["type"] == COMMAND]
        if not onward:
            return pages
        body = onward[0]
    raise AssertionError("it goes on for ever")


async def test_everything_is_said_again_as_its_events_said_it(bus, a_draft, client):
    for name in ("A", "B", "C"):
        await bus.import_course(a_draft(CourseKey.parse(f"course-v1:Org+{name}+1")))
    said = await bus.resources.pool.fetch("select type, payload from outbox order by position")
    events = {}
    for row in said:
        if row["type"] in (CoursePublished.type, CourseTeamChanged.type):
            events[row["type"], row["payload"]["course_id"]] = row["payload"]
    await bus.resources.pool.execute("update course set deleted_at = now(), announced = 9 where number = 'B'")
    rebuild = uuid4()
    pages = await _say_all(bus, rebuild)
    assert [page["part"] for page in pages] == list(range(len(pages)))
    assert all(page["rebuild"] == str(rebuild) for page in pages)
    *state, end = pages
    assert (end["end"], end["items"], end["parts"]) == (True, [], len(state))
    items = {(page["of"], item["course_id"]): item for page in state for item in page["items"]}
    assert items.pop((CourseDeleted.type, "course-v1:Org+B+1"))["version"] == 9
    events.pop((CoursePublished.type, "course-v1:Org+B+1"))
    assert orjson.dumps(items[CoursePublished.type, "course-v1:Org+A+1"]) == orjson.dumps(
        events[CoursePublished.type, "course-v1:Org+A+1"]
    )
    assert items.keys() >= {key for key in events if key[0] == CoursePublished.type}
    assert items.keys() >= {key for key in events if key[0] == CourseTeamChanged.type}
