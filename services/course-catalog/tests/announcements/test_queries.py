"""Asked to say everything again, the catalogue puts it on the queue of whoever asks, as its events say it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

import orjson
import pytest

from common.messaging import Message
from common.resources import Resources
from course_catalog.announcements.queries import COMMAND, announce
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.programs.operations import create_program, delete_program
from course_catalog.programs.schemas import NewProgram
from course_catalog.settings import settings_of

MakeCourse = Callable[..., CourseFacts]
QUEUE = "enrollment.rebuild"


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...


async def _announced(resources: Resources) -> dict[str, dict[str, Any]]:
    rows = await resources.pool.fetch("select payload from outbox where exchange = 'lectern.events' order by position")
    items = [item for row in rows for item in (row["payload"].get("courses") or row["payload"].get("programs"))]
    return {str(item.get("course_id") or item["uuid"]): item for item in items}


async def _say_all(resources: Resources, body: dict[str, object]) -> list[dict[str, Any]]:
    handler, pages = announce(settings_of(resources).course_mode), []
    for _ in range(20):
        await resources.pool.execute("delete from outbox")
        message = Message(uuid4(), COMMAND, orjson.dumps(body), {})
        async with resources.sessions.begin() as session:
            await handler(session, [message])
        rows = await resources.pool.fetch("select routing_key, type, payload from outbox order by position")
        pages += [row["payload"] for row in rows if row["routing_key"] == QUEUE]
        onward = [row["payload"] for row in rows if row["type"] == COMMAND]
        if not onward:
            return pages
        body = onward[0]
    raise AssertionError("it goes on for ever")


async def test_everything_is_said_again_as_its_events_said_it(
    resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A"), a_course("B"), a_course("C"))
    await bus.hear(CourseDeleted(course_id=a_course("B").course_id, version=2))
    now = datetime.now(UTC)
    uuids: list[UUID] = []
    for title in ("One", "Two"):
        given = NewProgram.model_validate(
            {"title": title, "type": "t", "courses": [{"course_runs": [{"key": a_course("A").course_id}]}]}
        )
        async with resources.sessions.begin() as session:
            uuids.append(await create_program(session, given, now=now))
    async with resources.sessions.begin() as session:
        await delete_program(session, uuids[1], now=now)
    expected = await _announced(resources)
    *pages, end = await _say_all(resources, {"rebuild": str(uuid4()), "queue": QUEUE})
    assert (end["end"], end["parts"], [page["part"] for page in pages]) == (True, len(pages), [*range(len(pages))])
    bodies = [item for page in pages for item in page["items"]]
    said = [item for body in bodies for item in (body.get("courses") or body.get("programs"))]
    found = {str(item.get("course_id") or item["uuid"]): item for item in said}
    for key in expected:
        for name in ("version", "deleted"):
            assert found[key][name] == expected[key][name], key
    assert found[str(uuids[0])] == expected[str(uuids[0])]
    assert found[a_course("A").course_id] == expected[a_course("A").course_id]
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("queue", ["enrollment.events", "x.rebuild.y", "", "a.rebuild\n"])
async def test_only_a_queue_for_rebuilding_is_written_to(resources: Resources, queue: str) -> None:
    with pytest.raises(ValueError, match="queue"):
        await _say_all(resources, {"rebuild": str(uuid4()), "queue": queue})
