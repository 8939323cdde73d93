"""Facets are exact at once, after any change; and the plans of the statements behind lists for invited people."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import pytest

from common.identity import Caller
from common.resources import Resources
from common.testing.identity import a_caller
from course_catalog.accounts.models import ANYBODY, Viewer
from course_catalog.accounts.queries import viewer
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.listing import Filters, Listing
from course_catalog.discovery.facets import FacetCounts, Facets

MakeCourse = Callable[..., CourseFacts]
RITA = a_caller("rita")


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def role(self, course: CourseFacts, caller: Caller) -> None: ...
    async def modes(self, key: str, modes: list[tuple[str, datetime | None]]) -> None: ...
    async def renumber(self) -> None: ...


def counting(resources: Resources) -> FacetCounts:
    return FacetCounts(resources.pool, Listing(resources.pool, cache_bytes=100_000), default_mode="audit")


async def both(kept: FacetCounts, resources: Resources, filters: Filters, who: Viewer) -> Facets:
    """What the counts that have been kept say now, which is what new ones say."""
    found = await kept.read(filters, who)
    assert found == await counting(resources).read(filters, who)
    return found


async def test_counts_follow_every_change_at_once(resources: Resources, bus: Bus, a_course: MakeCourse) -> None:
    kept, hidden = counting(resources), a_course("Hidden", visible_to_staff_only=True, language="ar")
    await bus.hear(*(a_course(f"C{n}", language="en") for n in range(4)), hidden, a_course("course-v1:ORG+X+1"))
    await bus.role(hidden, RITA)
    assert dict((await both(kept, resources, Filters(), ANYBODY))["org"]) == {"ORG": 5}
    for _ in range(2):  # also from what is kept
        assert dict((await both(kept, resources, Filters(), viewer(RITA)))["language"]) == {"en": 4, "ar": 1}
    await bus.hear(a_course("C1", version=2, language="es", self_paced=True))
    await bus.modes("course-v1:Org+C2+1", [("honor", None), ("verified", None)])
    found = await both(kept, resources, Filters(), ANYBODY)
    assert found["language"] == [("en", 3), ("es", 1)]
    assert found["pacing"] == [("instructor", 4), ("self", 1)]
    assert found["mode"] == [("audit", 4), ("honor", 1), ("verified", 1)]
    await bus.hear(CourseDeleted(course_id="course-v1:Org+C1+1", version=3))
    await bus.hear(CourseDeleted(course_id="course-v1:ORG+X+1", version=3))
    assert (await both(kept, resources, Filters(), ANYBODY))["org"] == [("Org", 3)]
    await bus.renumber()
    assert (await both(kept, resources, Filters(org="org"), ANYBODY))["language"] == [("en", 3)]
    await bus.hear(*(a_course(f"D{n:03}", language="fr") for n in range(600)))  # more than a delta takes
    assert (await both(kept, resources, Filters(), ANYBODY))["language"] == [("fr", 600), ("en", 3)]


async def test_counts_are_read_in_one_snapshot_when_changes_never_stop(
    resources: Resources, bus: Bus, a_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = a_course("Hidden", visible_to_staff_only=True)
    await bus.hear(a_course(), hidden)
    await bus.role(hidden, RITA)
    monkeypatch.setattr("course_catalog.courses.listing._ATTEMPTS", 0)
    assert (await counting(resources).read(Filters(), viewer(RITA)))["org"] == [("Org", 2)]


async def test_counts_are_forgotten_least_recently_used_first(
    resources: Resources, bus: Bus, a_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course_catalog.discovery.facets._MOST_KEPT", 100)
    await bus.hear(a_course())
    counts = counting(resources)
    for number in range(20):
        await counts.read(Filters(search=f"{number}"), ANYBODY)
    assert 2 < len(counts._kept) < 12
    await counts.read(Filters(org="o" * 50_000), ANYBODY)
    assert [key[0].org is not None for key in counts._kept] == [True]
