"""Asked to say everything again, content puts courses, tombstones and teams on the asker's queue, and their number."""

from uuid import uuid4

import orjson

from common.keys import CourseKey
from common.testing.identity import a_caller
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


async def test_libraries_and_courses_with_nothing_published_are_said_again_as_they_were_announced(bus, a_draft, client):
    admin = a_caller("admin", staff=True)
    await bus.import_course(a_draft())
    await client.request("DELETE", "/course/course-v1:Org+Demo+1/branch/published", admin)
    library = {"org": "Org", "library": "Lib", "display_name": "Problems"}
    assert (await client.post("/api/content/v1/libraries", admin, json=library)).status_code == 201
    rows = await bus.resources.pool.fetch("select type, payload from outbox order by position")
    last = {row["payload"]["course_id"]: row["payload"] for row in rows if row["type"] == CoursePublished.type}
    pages = await _say_all(bus, uuid4())
    said = [item for page in pages if page.get("of") == CoursePublished.type for item in page["items"]]
    items = {item["course_id"]: item for item in said}
    assert items == last
    assert items["course-v1:Org+Demo+1"]["course"]["visible_to_staff_only"] is True
