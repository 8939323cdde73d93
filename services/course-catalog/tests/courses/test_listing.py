"""Lists equal the naive filter, whatever changed before; instants that pass open and close courses by themselves."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.identity import Caller
from common.pagination import PageRequest
from common.resources import Resources
from common.testing.identity import a_caller
from common.testing.waiting import until
from course_catalog.accounts.models import ANYBODY, Viewer
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.listing import Filters, Listing, apply, cut

MakeCourse = Callable[..., CourseFacts]
LIST = "/api/courses/v1/courses/"


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def role(
        self, course: CourseFacts, caller: Caller, role: str = "staff", *, removed: bool = False
    ) -> None: ...
    async def renumber(self) -> None: ...


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


class Body(Protocol):
    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]: ...
    async def get(self, url: str, caller: Caller | None = None) -> httpx.Response: ...


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 8), st.integers(1, 9))
def test_a_page_is_cut_from_both_lists_as_from_one(ids: set[int], others: set[int], number: int, size: int) -> None:
    extras = sorted(others - ids)
    merged = sorted(ids | others)
    assert cut(sorted(ids), extras, (number - 1) * size, size) == merged[(number - 1) * size : number * size]


@given(st.sets(st.integers(1, 30)), st.dictionaries(st.integers(1, 30), st.booleans()))
def test_changes_put_in_and_take_out(ids: set[int], changes: dict[int, bool]) -> None:
    from array import array

    kept = array("q", sorted(ids))
    apply(kept, [position if here else -position for position, here in changes.items()])
    assert list(kept) == sorted(
        (ids | {p for p, here in changes.items() if here}) - {p for p, h in changes.items() if not h}
    )


ROLE_HOLDER = a_caller("rita")


async def test_a_course_opens_and_closes_when_its_window_does_without_any_change(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    now = datetime.now(UTC)
    window = {
        "start": "2099-01-01T00:00:00Z",
        "enrollment_start": (now + timedelta(seconds=0.8)).isoformat(),
        "enrollment_end": (now + timedelta(seconds=1.6)).isoformat(),
    }
    starting = {"start": (now + timedelta(seconds=1.2)).isoformat(), "enrollment_start": "2099-01-01T00:00:00Z"}
    ending = {"end": (now + timedelta(seconds=1.2)).isoformat()}
    await bus.hear(a_course("A", **window), a_course("B", **starting), a_course("C", **ending))
    seen: list[str] = []

    async def everything_passed() -> bool:
        listed = [key.split("+")[1] for key in await client.ids()]
        active = [key.split("+")[1] for key in await client.ids(f"{LIST}?active_only=1")]
        state = f"{''.join(listed)} {''.join(active)}"
        if seen[-1:] != [state]:
            seen.append(state)
        return state == "BC B"

    await until(everything_passed, timeout=8, what="passing of all instants")
    assert len(seen) > 1, "nothing opened or closed by itself"


async def test_a_role_holders_hidden_course_moves_into_everybodys_list_once(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    hidden = a_course("Demo", visible_to_staff_only=True)
    await bus.hear(a_course("Zed"), hidden)
    url = f"{LIST}?username=rita"
    assert await client.ids(url, ROLE_HOLDER) == ["course-v1:Org+Zed+1"]
    await bus.role(hidden, ROLE_HOLDER)
    assert await client.ids(url, ROLE_HOLDER) == ["course-v1:Org+Demo+1", "course-v1:Org+Zed+1"]
    await bus.hear(a_course("Demo", version=2))
    assert await client.ids(url, ROLE_HOLDER) == ["course-v1:Org+Demo+1", "course-v1:Org+Zed+1"]
    await bus.hear(a_course("Demo", version=3, visible_to_staff_only=True))
    await bus.role(hidden, ROLE_HOLDER, removed=True)
    assert await client.ids(url, ROLE_HOLDER) == ["course-v1:Org+Zed+1"]


async def test_more_changes_than_a_delta_takes_build_the_list_anew(
    resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    listing = Listing(resources.pool, cache_bytes=10_000)
    page = PageRequest(1, 1000)
    await bus.hear(a_course("First"))
    assert (await listing.page(Filters(), ANYBODY, page, base=None)).count == 1
    await bus.hear(*(a_course(f"C{number:03}") for number in range(600)))
    found = await listing.page(Filters(), ANYBODY, page, base=None)
    assert found.count == 601
    assert found.items.split(",") == sorted(found.items.split(","))


async def test_a_list_is_read_in_one_snapshot_when_changes_never_stop(
    resources: Resources, bus: Bus, a_course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course_catalog.courses.listing._ATTEMPTS", 0)
    hidden = a_course("Demo", visible_to_staff_only=True)
    await bus.hear(hidden, a_course("Zed"))
    await bus.role(hidden, ROLE_HOLDER)
    listing = Listing(resources.pool, cache_bytes=10_000)
    found = await listing.page(Filters(), Viewer(user_id=ROLE_HOLDER.user_id), PageRequest(1, 10), base=None)
    assert (found.count, found.items) == (2, '"course-v1:Org+Demo+1","course-v1:Org+Zed+1"')


async def test_lists_are_forgotten_least_recently_used_first(
    resources: Resources, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course())
    listing = Listing(resources.pool, cache_bytes=3_500)
    for term in ("a", "b", "c", "d", "e"):
        await listing.page(Filters(search=term), ANYBODY, PageRequest(1, 10), base=None)
    assert [key[0].search for key in listing._lists] == ["c", "d", "e"]


@pytest.mark.parametrize("name", ["org", "language", "mode", "search"])
async def test_long_values_that_nobody_has_fill_no_memory(
    resources: Resources, bus: Bus, a_course: MakeCourse, name: str
) -> None:
    await bus.hear(a_course())
    listing = Listing(resources.pool, cache_bytes=300_000)
    for number in range(10):
        filters = Filters(**{name: f"{number}" + "x" * 20_000})  # type: ignore[arg-type]
        await listing.page(filters, ANYBODY, PageRequest(1, 10), base=None)
    assert len(listing._lists) <= 3
    assert listing._bytes <= 300_000


async def test_following_next_neither_repeats_nor_skips_a_course_that_stayed(
    client: Body, bus: Bus, a_course: MakeCourse
) -> None:
    """Courses come and go in front of the reader, and once every position is given anew."""
    await bus.hear(*(a_course(f"C{number:02}") for number in range(10, 30)))
    gone = {"C11", "C12", "C13"}
    url: str | None = f"{LIST}?page_size=4"
    seen: list[str] = []
    for step in itertools.count():
        body = await client.body(url or "")
        seen += [course["number"] for course in body["results"]]
        assert body["pagination"]["num_pages"] == -(-body["pagination"]["count"] // 4)
        url = body["pagination"]["next"]
        if url is None:
            break
        assert f"page={step + 2}&cursor=" in url
        if step == 0:
            await bus.hear(a_course("A1"), a_course("A2"), *(a_course("C14", version=2) for _ in range(1)))
        elif step == 1:
            await bus.hear(*(a_course(name, version=2, visible_to_staff_only=True) for name in gone))
        elif step == 2:
            await bus.renumber()
    assert seen == [f"C{number}" for number in range(10, 30)]


async def test_a_cursor_behind_everything_gives_an_empty_page(client: Body, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(*(a_course(f"C{number}") for number in range(6)))
    url = (await client.body(f"{LIST}?page_size=5"))["pagination"]["next"]
    await bus.hear(a_course("C5", version=2, visible_to_staff_only=True))
    body = await client.body(url)
    assert body["results"] == []
    assert body["pagination"]["next"] is None
    assert body["pagination"]["count"] == 5
    assert body["pagination"]["previous"] == f"https://lectern.example{LIST}?page_size=5"


@pytest.mark.parametrize("text", ["x", "!!", "%00", "MS4x", "MS54LmE", "w6Q", "MS4tMS5h"])
async def test_a_cursor_of_nobodys_making_is_refused(client: Body, text: str) -> None:
    answer = await client.get(f"{LIST}?cursor={text}")
    assert answer.status_code == 400
    assert answer.json()["field_errors"] == {"cursor": {"developer_message": "This is not a cursor of a page."}}


async def test_two_instances_answer_alike_at_once(resources: Resources, bus: Bus, a_course: MakeCourse) -> None:
    one, other = (Listing(resources.pool, cache_bytes=100_000) for _ in range(2))
    page = PageRequest(1, 100)
    for number in range(12):
        await bus.hear(a_course(f"C{number % 5}", version=number + 1, visible_to_staff_only=number % 3 == 0))
        pages = [await each.page(Filters(), ANYBODY, page, base=None) for each in (one, other, one)]
        assert len({(found.items, found.count) for found in pages}) == 1


async def test_every_page_counts_exactly_while_courses_change(client: Body, bus: Bus, a_course: MakeCourse) -> None:
    """No page is short, whatever number is asked for."""
    await bus.hear(*(a_course(f"C{number:03}") for number in range(95)))
    for version in range(2, 8):
        await bus.hear(a_course(f"C{version * 9:03}", version=version, visible_to_staff_only=version % 2 == 0))
        hidden = sum(1 for each in range(2, version + 1) if each % 2 == 0)
        for number in (1, 5, 9):
            body = await client.body(f"{LIST}?page={number}&page_size=10")
            assert body["pagination"]["count"] == 95 - hidden
            assert len(body["results"]) == min(10, 95 - hidden - 10 * (number - 1))
