"""Hearing about courses: order and repetition do not matter, one revision tells all lists, news is announced once."""

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest

from common.resources import Resources
from course_catalog.courses.facts import CourseDeleted, CourseFacts

MakeCourse = Callable[..., CourseFacts]
Fact = CourseFacts | CourseDeleted


class Bus(Protocol):
    async def hear(self, *facts: Fact) -> None: ...
    async def announced(self) -> list[dict[str, object]]: ...


class Client(Protocol):
    async def ids(self) -> Sequence[str]: ...


def history(a_course: MakeCourse, number: int) -> list[Fact]:
    """Six facts about one course; every third ends deleted."""
    name = f"C{number:02}"
    facts: list[Fact] = [
        a_course(name, version=version, display_name=f"{name} v{version}", visible_to_staff_only=version % 2 == 1)
        for version in range(1, 6)
    ]
    last = CourseDeleted(course_id=facts[0].course_id, version=6)
    return [*facts, last if number % 3 == 0 else a_course(name, version=6, about={"effort": f"{number} hours"})]


STATE = """select c.course_key, c.content_version, c.deleted, c.visible_to_staff_only, c.searched, d.item, d.about
           from course c join course_document d using (course_key) order by c.pos"""


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_with_repetitions_gives_the_same_catalogue(
    resources: Resources, bus: Bus, a_course: MakeCourse, seed: int
) -> None:
    facts = [fact for number in range(10) for fact in history(a_course, number)]
    chance = random.Random(seed)
    heard = facts * 2
    chance.shuffle(heard)
    while heard:
        size = chance.randint(1, 15)
        await bus.hear(*heard[:size])
        heard = heard[size:]
    rows = await resources.pool.fetch(STATE)
    assert [row["course_key"] for row in rows] == sorted({fact.course_id for fact in facts})
    for number, row in enumerate(rows):
        assert row["content_version"] == 6
        assert row["deleted"] == (number % 3 == 0)
        if not row["deleted"]:
            assert row["about"] == {"effort": f"{number} hours"}
            assert f'"effort":"{number} hours"' in row["item"]
    for row in rows:
        versions = [
            int(str(item["version"])) for item in await bus.announced() if item["course_id"] == row["course_key"]
        ]
        assert versions == sorted(set(versions)) == list(range(1, len(versions) + 1))
    newest = {item["course_id"]: item for item in await bus.announced()}
    assert {key: item["deleted"] for key, item in newest.items()} == {row["course_key"]: row["deleted"] for row in rows}


async def test_what_is_announced_is_the_whole_course(bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(
        a_course(
            "Org/Demo/1",
            version=7,
            end="2031-01-01T00:00:00Z",
            invitation_only=True,
            max_student_enrollments_allowed=30,
            self_paced=True,
        )
    )
    audit = {
        "slug": "audit",
        "name": "Audit",
        "min_price": 0,
        "currency": "usd",
        "suggested_prices": "",
        "expiration_datetime": None,
        "description": None,
        "sku": None,
        "bulk_sku": None,
    }
    assert await bus.announced() == [
        {
            "course_id": "course-v1:Org+Demo+1",
            "spelling": "Org/Demo/1",
            "version": 1,
            "deleted": False,
            "content_version": 7,
            "content_guid": "0" * 24,
            "display_name": "Course Demo",
            "org": "Org",
            "number": "Demo",
            "run": "1",
            "start": "2020-01-01T00:00:00Z",
            "end": "2031-01-01T00:00:00Z",
            "enrollment_start": None,
            "enrollment_end": None,
            "invitation_only": True,
            "max_enrollments": 30,
            "visible_to_staff_only": False,
            "catalog_visibility": "both",
            "pacing": "self",
            "default_mode": "audit",
            "modes": [audit],
        }
    ]


async def test_the_modes_of_a_course_are_announced_with_it(
    resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    insert = "insert into course_mode (course_key, slug, name, min_price) values ($1, $2, $2, $3)"
    for slug, price in (("honor", 0), ("verified", 49)):
        await resources.pool.execute(insert, a_course().course_id, slug, price)
    await bus.hear(a_course())
    (item,) = await bus.announced()
    assert item["default_mode"] == "honor"
    assert [(mode["slug"], mode["min_price"]) for mode in item["modes"]] == [("honor", 0), ("verified", 49)]  # type: ignore[attr-defined]


async def test_only_news_is_announced(bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course(version=2))
    await bus.hear(a_course(version=2))
    await bus.hear(a_course(version=1, display_name="Older"))
    assert [(item["version"], item["display_name"]) for item in await bus.announced()] == [(1, "Course Demo")]


async def test_a_course_deleted_before_it_was_heard_of_stays_deleted(
    bus: Bus, client: Client, a_course: MakeCourse
) -> None:
    await bus.hear(CourseDeleted(course_id="course-v1:Org+Demo+1", version=3))
    await bus.hear(a_course(version=2))
    assert await client.ids() == []
    await bus.hear(a_course(version=4))
    assert await client.ids() == ["course-v1:Org+Demo+1"]


async def test_a_revision_is_taken_once_per_batch_and_only_for_what_lists_depend_on(
    resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    async def rev() -> int:
        return int(await resources.pool.fetchval("select rev from catalogue_state"))

    before = await rev()
    await bus.hear(*(a_course(f"C{number}") for number in range(5)))
    assert await rev() == before + 1
    await bus.hear(a_course("C1", version=2, about={"effort": "Other words."}, end=None))
    assert await rev() == before + 1
    await bus.hear(a_course("C1", version=3, invitation_only=True))
    assert await rev() == before + 2


async def test_libraries_are_no_courses(bus: Bus, client: Client, a_course: MakeCourse) -> None:
    await bus.hear(a_course("library-v1:Org+Lib"))
    assert await client.ids() == []
    assert await bus.announced() == []


async def test_a_full_gap_renumbers_every_place_and_lists_follow(
    resources: Resources, bus: Bus, client: Client, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("A"), a_course("Z"))
    first = await resources.pool.fetchval("select min(pos) from course")
    for table in ("course", "course_document"):
        await resources.pool.execute(f"update {table} set pos = $1 where course_key like '%+Z+%'", first + 2)
    await bus.hear(a_course("B"))
    assert await client.ids() == [f"course-v1:Org+{name}+1" for name in "ABZ"]
    await bus.hear(a_course("C"), a_course("D"))
    assert await client.ids() == [f"course-v1:Org+{name}+1" for name in "ABCDZ"]
    same = "select count(*) from course join course_document using (course_key, pos)"
    assert await resources.pool.fetchval(same) == 5
