"""Every list equals a naive filter in Python, whatever changed before and whoever asks: same ids, same counts."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from common.identity import Caller
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.listings.schemas import ListingRule

MakeCourse = Callable[..., CourseFacts]
LIST, OWN = "/api/courses/v1/courses/", "/api/catalog/v1/courses/"


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def role(
        self, course: CourseFacts, caller: Caller, role: str = "staff", *, removed: bool = False
    ) -> None: ...
    async def rule(self, key: str, rule: ListingRule) -> None: ...
    async def allow(self, key: str, caller: Caller, *, removed: bool = False) -> None: ...
    async def modes(self, key: str, modes: Sequence[tuple[str, datetime | None]]) -> None: ...


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


DAYS = st.sampled_from([None, -2, 2])
DOMAINS = frozenset({"Example.com", "other.org", "com"})
ROLE_HOLDER = a_caller("rita")
STAFF = a_caller("greta", staff=True)
ORG_STAFF = a_caller("otto", org_roles=(("acme", "staff"),))


def instant(days: int | None) -> str | None:
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()


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
    language: str
    self_paced: bool
    modes: tuple[tuple[str, int | None], ...]
    audience: str
    invites: tuple[str, ...]
    shown: tuple[int | None, int | None]
    while_open: bool
    allows_rita: bool
    start: int | None
    end: int | None
    opens: int | None
    closes: int | None
    role: str | None

    def settings(self) -> dict[str, object]:
        return {
            "display_name": self.name,
            "visible_to_staff_only": self.staff_only,
            "invitation_only": self.invitation,
            "mobile_available": self.mobile,
            "catalog_visibility": self.visibility,
            "language": self.language,
            "self_paced": self.self_paced,
            "start": instant(self.start),
            "end": instant(self.end),
            "enrollment_start": instant(self.opens),
            "enrollment_end": instant(self.closes),
        }

    @property
    def started(self) -> bool:
        return self.start is not None and self.start < 0

    @property
    def in_window(self) -> bool:
        return (self.opens is None or self.opens < 0) and (self.closes is None or self.closes > 0)

    @property
    def open(self) -> bool:
        return not self.invitation and self.in_window

    @property
    def offered(self) -> set[str]:
        return {slug for slug, expires in self.modes if expires is None or expires > 0} or {"audit"}

    def rule(self) -> dict[str, object]:
        return {
            "audience": self.audience,
            "domains": [name for name in self.invites if name in DOMAINS],
            "invitees": [name for name in self.invites if name not in DOMAINS],
            "listed_from": instant(self.shown[0]),
            "listed_until": instant(self.shown[1]),
            "only_during_enrollment": self.while_open,
        }

    @property
    def is_dated_now(self) -> bool:
        begun, over = (self.shown[0] or -1) < 0, (self.shown[1] or 1) < 0
        return begun and not over and (self.in_window or not self.while_open)

    def may_be_found_by(self, who: Caller | None) -> bool:
        if self.audience == "open":
            return True
        if who is None:
            return False
        names = {str(who.username).lower(), str(who.email).lower(), "example.com", "com"}
        return self.audience == "authenticated" or bool(names & {name.lower() for name in self.invites})

    def has_words(self, term: str) -> bool:
        words = re.findall(r"[a-z0-9]+", f"{self.name} {self.key.split('+')[1]} {self.org} 1".lower())
        asked = re.findall(r"[a-z0-9]+", term.lower())
        return bool(asked) and all(any(word.startswith(one) for word in words) for one in asked)

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

    def matches(self, query: dict[str, str]) -> bool:
        if "mobile" in query and self.mobile != (query["mobile"] == "true"):
            return False
        if query.get("active_only") == "1" and self.end is not None and self.end < 0:
            return False
        if "org" in query and query["org"].lower() != self.org.lower():
            return False
        if "search_term" in query and not self.has_words(query["search_term"]):
            return False
        return "course_keys" not in query or self.key in query["course_keys"].split(",")

    def refined(self, query: dict[str, str]) -> bool:
        if "language" in query and query["language"].lower() != self.language:
            return False
        if "pacing" in query and (query["pacing"] == "self") != self.self_paced:
            return False
        return "mode" not in query or query["mode"] in self.offered

    def listed(self, query: dict[str, str], who: Caller | None) -> bool:
        if self.deleted or not (self.matches(query) and self.refined(query)):
            return False
        permissions = query["permissions"].split(",") if "permissions" in query else []
        if who is STAFF:
            return True
        held = {ROLE_HOLDER: self.role, ORG_STAFF: "staff" if self.org == "Acme" else None}.get(who) if who else None
        if held and ("instructor" not in permissions or held == "instructor"):
            return True
        if self.staff_only or not self.is_dated_now:
            return False
        if who is ROLE_HOLDER and self.allows_rita:
            return all(self.granted(permission) or permission == "enroll" for permission in permissions)
        return self.may_be_found_by(who) and (self.started or self.open) and all(map(self.granted, permissions))


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
        language=st.sampled_from(["en", "ar"]),
        self_paced=st.booleans(),
        modes=st.lists(
            st.tuples(st.sampled_from(["audit", "honor", "verified"]), DAYS), max_size=2, unique_by=lambda mode: mode[0]
        ).map(tuple),
        audience=st.sampled_from(["open", "open", "authenticated", "listed"]),
        invites=st.lists(st.sampled_from(["RITA", "otto@example.com", "Example.com", "other.org", "com"]), max_size=2),
        shown=st.sampled_from([(None, None), (None, None), (-2, 2), (2, None), (None, -1), (-3, -1)]),
        while_open=st.sampled_from([False, False, True]),
        allows_rita=st.sampled_from([False, False, True]),
        **dict.fromkeys(("start", "end", "opens", "closes"), DAYS),
        role=st.sampled_from([None, None, "staff", "instructor"]),
    )


OWN_FILTERS = frozenset({"language", "pacing", "mode"})


def queries() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "org": st.sampled_from(["acme", "BETA", "nobody"]),
            "mobile": st.sampled_from(["true", "false"]),
            "active_only": st.sampled_from(["1", "0"]),
            "search_term": st.sampled_from(["the a", "_%", "c_u", "B", "+1", "cour THE", "ourse"]),
            "course_keys": st.just("course-v1:Acme+A+1,course-v1:Beta+B+1,course-v1:Beta+C+1"),
            "language": st.sampled_from(["en", "AR", "fr"]),
            "pacing": st.sampled_from(["self", "instructor"]),
            "mode": st.sampled_from(["audit", "honor", "verified"]),
            "permissions": st.sampled_from(
                ["load", "enroll,see_in_catalog", "staff", "instructor", "see_about_page,load_mobile"]
            ),
        },
    )


async def _change(bus: Bus, a_course: MakeCourse, known: Known, version: int) -> None:
    facts = a_course(known.key, version=version, **known.settings())
    await bus.rule(known.key, ListingRule.model_validate(known.rule()))
    await bus.hear(CourseDeleted(course_id=known.key, version=version) if known.deleted else facts)
    await bus.role(facts, ROLE_HOLDER, known.role or "staff", removed=known.role is None)
    await bus.allow(known.key, ROLE_HOLDER, removed=not known.allows_rita)
    at = [(slug, None if days is None else datetime.now(UTC) + timedelta(days=days)) for slug, days in known.modes]
    await bus.modes(known.key, at)


CHANGES = st.lists(courses(), min_size=1, max_size=8)
ASKED = st.lists(queries(), min_size=1, max_size=4)


# not shrunk: an example depends on all before it
@settings(max_examples=12, phases=[Phase.generate])
@given(changes=CHANGES, asked=ASKED)
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
    await _compare(client, bus, a_course, world, versions, changes, asked)


@pytest.mark.torture
@settings(max_examples=1500, phases=[Phase.generate])
@given(changes=CHANGES, asked=ASKED)
async def test_every_list_equals_the_naive_filter_through_fifteen_hundred_histories(
    client: Client,
    bus: Bus,
    a_course: MakeCourse,
    world: dict[str, Known],
    versions: Iterator[int],
    changes: list[Known],
    asked: list[dict[str, str]],
) -> None:
    await _compare(client, bus, a_course, world, versions, changes, asked)


async def _compare(
    client: Client,
    bus: Bus,
    a_course: MakeCourse,
    world: dict[str, Known],
    versions: Iterator[int],
    changes: list[Known],
    asked: list[dict[str, str]],
) -> None:
    for known in changes:
        world[known.key] = known
        await _change(bus, a_course, known, next(versions))
    everything = [world[key] for key in sorted(world)]
    for query in asked:
        plain = {name: value for name, value in query.items() if name not in OWN_FILTERS}
        for who in (None, ROLE_HOLDER, STAFF, ORG_STAFF):
            username = {"username": who.username or ""} if who else {}
            url = f"{LIST}?{urlencode({'page_size': '100', **plain, **username})}"
            assert await client.ids(url, who) == [known.key for known in everything if known.listed(plain, who)], (
                url,
                who,
            )
            found = [known.key for known in everything if known.listed(query, who)]
            own = f"{OWN}?{urlencode({'page_size': '100', 'sort': 'id', **query, **username})}"
            assert await client.ids(own, who) == found, (own, who)
            if "search_term" in query:
                ranked = await client.ids(own.replace("sort=id", "sort=relevance"), who)
                assert sorted(ranked) == found, (own, who)
    await _compare_facets(client, everything, asked[0])


async def _compare_facets(client: Client, everything: list[Known], query: dict[str, str]) -> None:
    for who in (None, ROLE_HOLDER, STAFF):
        username = {"username": who.username or ""} if who else {}
        found = [known for known in everything if known.listed(query, who)]
        body = await client.body(f"{OWN}?{urlencode({'sort': 'id', **query, **username})}", who)  # type: ignore[attr-defined]
        counted = {name: {each["value"]: each["count"] for each in values} for name, values in body["facets"].items()}
        naive: dict[str, Counter[str]] = {
            "org": Counter(known.org for known in found),
            "language": Counter(known.language for known in found),
            "pacing": Counter("self" if known.self_paced else "instructor" for known in found),
            "mode": Counter(slug for known in found for slug in known.offered),
        }
        assert counted == naive, (query, who)


@pytest.fixture
def versions() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def world() -> dict[str, Known]:
    return {}
