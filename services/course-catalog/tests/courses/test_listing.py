"""Lists equal the naive filter, whatever changed before; instants that pass open and close courses by themselves."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
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


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 8), st.integers(1, 9))
def test_a_page_is_cut_from_both_lists_as_from_one(ids: set[int], others: set[int], number: int, size: int) -> None:
    extras = sorted(others - ids)
    merged = sorted(ids | others)
    assert cut(sorted(ids), extras, PageRequest(number, size)) == merged[(number - 1) * size : number * size]


@given(st.sets(st.integers(1, 30)), st.dictionaries(st.integers(1, 30), st.booleans()))
def test_changes_put_in_and_take_out(ids: set[int], changes: dict[int, bool]) -> None:
    from array import array

    kept = array("q", sorted(ids))
    apply(kept, [position if here else -position for position, here in changes.items()])
    assert list(kept) == sorted(
        (ids | {p for p, here in changes.items() if here}) - {p for p, h in changes.items() if not h}
    )


DAYS = st.sampled_from([None, -2, 2])
ROLE_HOLDER = a_caller("rita")
STAFF = a_caller("greta", staff=True)
ORG_STAFF = a_caller("otto", org_roles=(("acme", "staff"),))


@dataclass(frozen=True)
class Known:
    """What the naive filter knows of a course."""

    key: str
    org: str
    name: str
    deleted: bool
    staff_only: bool
    invitation: bool
    mobile: bool
    visibility: str
    start: int | None
    end: int | None
    opens: int | None
    closes: int | None
    role: str | None

    def settings(self) -> dict[str, object]:
        def instant(days: int | None) -> str | None:
            return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()

        return {
            "display_name": self.name,
            "visible_to_staff_only": self.staff_only,
            "invitation_only": self.invitation,
            "mobile_available": self.mobile,
            "catalog_visibility": self.visibility,
            "start": instant(self.start),
            "end": instant(self.end),
            "enrollment_start": instant(self.opens),
            "enrollment_end": instant(self.closes),
        }

    @property
    def started(self) -> bool:
        return self.start is not None and self.start < 0

    @property
    def open(self) -> bool:
        opened = self.opens is None or self.opens < 0
        return not self.invitation and opened and (self.closes is None or self.closes > 0)

    @property
    def searched(self) -> str:
        return f"{self.name}\n{self.key.split('+')[1]}\n{self.org}".lower()

    def granted(self, permission: str) -> bool:
        return {
            "see_exists": True,
            "load": self.started,
            "load_mobile": self.started and self.mobile,
            "enroll": self.open,
            "see_in_catalog": self.visibility == "both",
            "see_about_page": self.visibility != "none",
            "staff": False,
            "instructor": False,
        }[permission]

    def listed(self, query: dict[str, str], who: Caller | None) -> bool:
        if self.deleted:
            return False
        if "mobile" in query and self.mobile != (query["mobile"] == "true"):
            return False
        if query.get("active_only") == "1" and self.end is not None and self.end < 0:
            return False
        if "org" in query and query["org"].lower() != self.org.lower():
            return False
        if "search_term" in query and query["search_term"].lower() not in self.searched:
            return False
        if "course_keys" in query and self.key not in query["course_keys"].split(","):
            return False
        permissions = query["permissions"].split(",") if "permissions" in query else []
        if who is STAFF:
            return True
        held = {ROLE_HOLDER: self.role, ORG_STAFF: "staff" if self.org == "Acme" else None}.get(who) if who else None
        if held and ("instructor" not in permissions or held == "instructor"):
            return True
        return not self.staff_only and (self.started or self.open) and all(map(self.granted, permissions))


NAMES = ("A", "B", "C", "D", "E", "F", "G", "H")


def courses() -> st.SearchStrategy[Known]:
    def build(name: str, org: str, **fields: object) -> Known:
        return Known(key=f"course-v1:{org}+{name}+1", org=org, name=f"The {name}_% course", **fields)  # type: ignore[arg-type]

    return st.builds(
        build,
        name=st.sampled_from(NAMES),
        org=st.sampled_from(["Acme", "Beta"]),
        **{name: st.booleans() for name in ("staff_only", "invitation", "mobile")},
        deleted=st.sampled_from([False, False, False, True]),
        visibility=st.sampled_from(["both", "about", "none"]),
        **dict.fromkeys(("start", "end", "opens", "closes"), DAYS),
        role=st.sampled_from([None, None, "staff", "instructor"]),
    )


def queries() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "org": st.sampled_from(["acme", "BETA", "nobody"]),
            "mobile": st.sampled_from(["true", "false"]),
            "active_only": st.sampled_from(["1", "0"]),
            "search_term": st.sampled_from(["the a", "_%", "c_u", "B", "+1"]),
            "course_keys": st.just("course-v1:Acme+A+1,course-v1:Beta+B+1,course-v1:Beta+C+1"),
            "permissions": st.sampled_from(
                ["load", "enroll,see_in_catalog", "staff", "instructor", "see_about_page,load_mobile"]
            ),
        },
    )


@settings(max_examples=40)
@given(changes=st.lists(courses(), min_size=1, max_size=8), asked=st.lists(queries(), min_size=1, max_size=4))
async def test_every_list_equals_the_naive_filter_after_any_changes(
    client: Client,
    bus: Bus,
    a_course: MakeCourse,
    world: dict[str, Known],
    versions: Iterator[int],
    changes: list[Known],
    asked: list[dict[str, str]],
) -> None:
    """One listing lives through all examples, so its arrays are mostly brought up to date, not built."""
    for known in changes:
        version = next(versions)
        world[known.key] = known
        facts = a_course(known.key, version=version, **known.settings())
        await bus.hear(CourseDeleted(course_id=known.key, version=version) if known.deleted else facts)
        await bus.role(facts, ROLE_HOLDER, known.role or "staff", removed=known.role is None)
    everything = [world[key] for key in sorted(world)]
    for query in asked:
        for who in (None, ROLE_HOLDER, STAFF, ORG_STAFF):
            username = {"username": who.username or ""} if who else {}
            url = f"{LIST}?{urlencode({'page_size': '100', **query, **username})}"
            assert await client.ids(url, who) == [known.key for known in everything if known.listed(query, who)], (
                url,
                who,
            )


@pytest.fixture
def versions() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def world() -> dict[str, Known]:
    return {}


async def test_a_course_opens_and_closes_when_its_window_does_without_any_change(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    now = datetime.now(UTC)
    window = {
        "start": "2099-01-01T00:00:00Z",
        "enrollment_start": (now + timedelta(seconds=0.4)).isoformat(),
        "enrollment_end": (now + timedelta(seconds=0.8)).isoformat(),
    }
    starting = {"start": (now + timedelta(seconds=0.6)).isoformat(), "enrollment_start": "2099-01-01T00:00:00Z"}
    ending = {"end": (now + timedelta(seconds=0.6)).isoformat()}
    await bus.hear(a_course("A", **window), a_course("B", **starting), a_course("C", **ending))
    seen: list[str] = []

    async def everything_passed() -> bool:
        listed = [key.split("+")[1] for key in await client.ids()]
        active = [key.split("+")[1] for key in await client.ids(f"{LIST}?active_only=1")]
        state = f"{''.join(listed)} {''.join(active)}"
        if seen[-1:] != [state]:
            seen.append(state)
        return state == "BC B"

    await until(everything_passed, timeout=3, what="passing of all instants")
    assert seen[0] == "C C"
    assert "AC" in seen[1] or "A" in "".join(seen)


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
