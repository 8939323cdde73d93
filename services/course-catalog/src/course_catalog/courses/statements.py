"""The constant statements behind list and detail. Each combination of filters is a statement of its own.

A list is an array of positions (`course.pos`, a bigint in the order of the keys) that one process keeps in memory,
together with the revision it shows and the first instant at which time alone will change it. A page is cut from the
array and read by position, so page 5,000 costs what page 1 costs, and the count is the array's length.
"""

from dataclasses import dataclass
from functools import lru_cache

# Intervals are half open, and now() is always the database's: an array built at the very instant a window opens holds
# the course, and is looked at again at the first instant strictly later.
STARTED = "c.start_at <= now()"
WINDOW = (
    "(c.enrollment_start is null or c.enrollment_start <= now()) "
    "and (c.enrollment_end is null or c.enrollment_end > now())"
)
OPEN = f"not c.invitation_only and {WINDOW}"
# the catalogue's own rule: its dates hold for every audience, whoever is on the team sees the course anyway
DATES = (
    "(c.listed_from is null or c.listed_from <= now()) and (c.listed_until is null or c.listed_until > now()) "
    f"and (not c.only_during_enrollment or ({WINDOW}))"
)
EXISTS = f"not c.deleted and not c.visible_to_staff_only and {DATES}"
VISIBLE = f"{EXISTS} and ({STARTED} or ({OPEN}))"
EVERYBODY, SIGNED_IN = "c.audience = 0", "c.audience <= 1"
NOT_ENDED = "(c.end_at is null or c.end_at > now())"
INSTANTS = ("start_at", "enrollment_start", "enrollment_end", "end_at", "listed_from", "listed_until")
DELTA_LIMIT = 500

# What a permission asks of somebody without a role in the course, beyond seeing it in the catalogue. Roles have them
# all but `instructor`, which takes that role; global staff have every one.
PERMISSIONS = {
    "see_exists": "true",
    "load": STARTED,
    "load_mobile": f"{STARTED} and c.mobile_available",
    "enroll": f"({OPEN})",
    "see_in_catalog": "c.catalog_visibility = 'both'",
    "see_about_page": "c.catalog_visibility in ('both', 'about')",
    "staff": "false",
    "instructor": "false",
}

OFFERED = "m.course_key = c.course_key and (m.expiration_datetime is null or m.expiration_datetime > now())"
_ALL_TEXTS = "c.course_key in (select w.course_key from course_search w where w.words @@ ${}::tsquery)"
_EACH_TEXT = "exists (select from course_search w where w.course_key = c.course_key and w.words @@ ${}::tsquery)"


@dataclass(frozen=True, slots=True)
class Shape:
    """Which filters a list has: what its statements are made of. The values are their parameters."""

    sees_all: bool = False
    signed_in: bool = False
    permissions: tuple[str, ...] = ()
    mobile: bool | None = None
    active_only: bool = False
    self_paced: bool | None = None
    by_org: bool = False
    by_language: bool = False
    by_mode: bool = False
    by_default_mode: bool = False
    by_text: bool = False
    by_keys: bool = False

    @property
    def parameters(self) -> int:
        """How many values `matching` needs."""
        return sum((self.by_org, self.by_language, self.by_mode, self.by_text, self.by_keys))

    def seen(self) -> str:
        """True for a course that somebody without a role in it (or, for `sees_all`, global staff) gets listed."""
        if self.sees_all:
            return "not c.deleted"
        return self._granted(VISIBLE, SIGNED_IN if self.signed_in else EVERYBODY)

    def invited(self) -> str:
        """The same for somebody whom the course's own list of domains and people names."""
        return self._granted(VISIBLE)

    def allowed(self) -> str:
        """The same for somebody on the course's allowed list: it is open to them, whatever its window says."""
        return self._granted(EXISTS, enroll="true")

    def _granted(self, *parts: str, **instead: str) -> str:
        asked = (instead.get(name, PERMISSIONS[name]) for name in self.permissions)
        return " and ".join(f"({part})" for part in (*parts, *asked))

    def matching(self, first: int, *, few: bool = False) -> str:
        """The filters that hold for everybody; their parameters are numbered from *first*.

        *few*: the statement asks about few courses, so their words are looked at one by one, not found by the index.
        """
        parts = []
        if self.mobile is not None:
            parts.append("c.mobile_available" if self.mobile else "not c.mobile_available")
        if self.active_only:
            parts.append(NOT_ENDED)
        if self.self_paced is not None:
            parts.append("c.self_paced" if self.self_paced else "not c.self_paced")
        offered = f"exists (select from course_mode m where {OFFERED} and m.slug = ${{}})"
        if self.by_default_mode:  # what a course offers that has no other
            offered = f"({offered} or not exists (select from course_mode m where {OFFERED}))"
        given = (
            (self.by_org, "c.org = ${}"),
            (self.by_language, "c.language = ${}"),
            (self.by_mode, offered),
            (self.by_text, _EACH_TEXT if few else _ALL_TEXTS),
            (self.by_keys, "c.course_key = any(${}::text[])"),
        )
        for number, part in enumerate((part for wanted, part in given if wanted), first):
            parts.append(part.format(number))
        return " and ".join(parts) or "true"


_LATER = "least({})".format(", ".join(f"case when c.{name} > now() then c.{name} end" for name in INSTANTS))

# The page and, of its last course, what a cursor needs. No row of `p`: the array is not what the database shows now.
_READ = """
select s.rev, p.items, p.last
from catalogue_state s left join lateral (
  select coalesce({items}, '') as items, max(d.course_key) as last
  from course_document d where d.pos = any($1::bigint[])) p on s.rev = $2 and now() < $3
where s.id = 1"""
PAGE = _READ.format(items="replace(string_agg(d.item, ',' order by d.pos), chr(127), $4)")
IDS = _READ.format(items="string_agg(to_json(d.spelling)::text, ',' order by d.pos)")

# where a cursor stands now: positions are given anew when a gap is full
PLACE = """
select s.epoch, (select c.pos from course c where c.course_key <= $1 order by c.course_key desc limit 1) as pos
from catalogue_state s where s.id = 1"""

NEXT_EXPIRY = "(select min(expiration_datetime) from course_mode where expiration_datetime > now())"


@lru_cache(maxsize=256)
def build(shape: Shape) -> str:
    """All positions of a list, as big-endian bytes. Parameters: the filters'."""
    later = f"least(b.later, {NEXT_EXPIRY})" if shape.by_mode else "b.later"
    return f"""
select s.rev, s.epoch, now() as as_of, coalesce(b.ids, ''::bytea) as ids, coalesce({later}, 'infinity') as until
from catalogue_state s, lateral (
  select string_agg(int8send(q.pos), ''::bytea order by q.pos) filter (where q.seen) as ids, min(q.later) as later
  from (select c.pos, {shape.seen()} as seen, {_LATER} as later from course c where {shape.matching(1)}) q) b
where s.id = 1"""


@lru_cache(maxsize=256)
def delta(shape: Shape) -> str:
    """What has changed since: positions now in the list, and negative ones of courses that are not.

    Parameters: the array's revision, its `as_of`, the filters'. `union` removes duplicates below the limit, and the
    filters stand inside the case: a course that has left them must come back, negative.
    """
    nexts = [f"(select min({name}) from course where {name} > now())" for name in INSTANTS]
    passed = [f"select pos from course where {name} > $2 and {name} <= now()" for name in INSTANTS]
    if shape.by_mode:
        nexts.append(NEXT_EXPIRY)
        passed.append(
            "select c.pos from course c join course_mode m using (course_key) "
            "where m.expiration_datetime > $2 and m.expiration_datetime <= now()"
        )
    return f"""
select s.rev, s.epoch, now() as as_of, coalesce(least({", ".join(nexts)}), 'infinity') as until,
  array(select case when {shape.seen()} and {shape.matching(3, few=True)} then c.pos else -c.pos end
    from course c where c.pos in (
    select pos from course where listing_rev > $1 union {" union ".join(passed)} limit {DELTA_LIMIT + 1})) as changed
from catalogue_state s where s.id = 1"""


@dataclass(frozen=True, slots=True)
class Special:
    """Which ways a viewer has into courses that not everybody is listed. Their values come first, in this order."""

    by_orgs: bool
    by_invitation: bool

    @property
    def parameters(self) -> int:
        return 1 + self.by_orgs + 2 * self.by_invitation


def special(shape: Shape, ways: Special) -> tuple[str, str, str]:
    """Keys of courses in which the viewer has a role, of those that name the viewer, of those the viewer may enroll in.

    Parameters: user, organizations, domains, names.
    """
    role = " and r.role = 'instructor'" if "instructor" in shape.permissions else ""
    held = f"select r.course_key from course_role r where r.user_id = $1 and not r.removed{role}"
    if ways.by_orgs:
        held += " union select o.course_key from course o where o.org = any($2::text[])"
    first = 3 if ways.by_orgs else 2
    named = (
        # or, not two statements: the planner joins the two gin indexes, course_own_domains and course_own_invitees
        "select o.course_key from course_own o where o.audience = 2 "
        f"and (o.domains && ${first}::text[] or o.invitees && ${first + 1}::text[])"
        if ways.by_invitation
        else "select null::text where false"
    )
    allowed = (
        f"select a.course_key from course_allowed a where a.email = any(${first + 1}::text[]) and not a.removed"
        if ways.by_invitation
        else "select null::text where false"
    )
    return held, named, allowed


@lru_cache(maxsize=256)
def extras(shape: Shape, ways: Special) -> str:
    """Courses that a viewer is listed only because of a role or an invitation.

    Parameters: those of `special`, the filters'.
    """
    held, named, allowed = special(shape, ways)
    matching = shape.matching(1 + ways.parameters, few=True)
    return f"""
select s.rev, array(
  select c.pos from course c where c.course_key in ({held})
    and not c.deleted and not ({shape.seen()}) and {matching}
  union select c.pos from course c where c.course_key in ({named})
    and {shape.invited()} and not ({shape.seen()}) and {matching}
  union select c.pos from course c where c.course_key in ({allowed})
    and {shape.allowed()} and not ({shape.seen()}) and {matching} order by 1) as ids
from catalogue_state s where s.id = 1"""


_DETAIL = """
select replace(left(d.item, -1), chr(127), $2) || ',"overview":'
  || to_json(coalesce(o.marketing->>'overview', d.about->>'overview', ''))::text || '}}'
from course c join course_document d using (course_key) left join course_own o using (course_key)
where c.course_key = $1 and not c.deleted and {seen}"""

DETAIL = _DETAIL.format(seen=f"({VISIBLE} and {EVERYBODY})")
DETAIL_FOR_STAFF = _DETAIL.format(seen="true")
DETAIL_FOR_USER = _DETAIL.format(
    seen=f"""({VISIBLE} and ({SIGNED_IN} or o.domains && $5::text[] or o.invitees && $6::text[])
      or {EXISTS} and exists (
      select from course_allowed a where a.email = any($6::text[]) and a.course_key = c.course_key and not a.removed)
      or c.org = any($4::text[]) or exists (
      select from course_role r where r.user_id = $3 and r.course_key = c.course_key and not r.removed))"""
)
