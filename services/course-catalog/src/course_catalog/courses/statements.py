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
OPEN = (
    "not c.invitation_only and (c.enrollment_start is null or c.enrollment_start <= now()) "
    "and (c.enrollment_end is null or c.enrollment_end > now())"
)
VISIBLE = f"not c.deleted and not c.visible_to_staff_only and ({STARTED} or ({OPEN}))"
NOT_ENDED = "(c.end_at is null or c.end_at > now())"
INSTANTS = ("start_at", "enrollment_start", "enrollment_end", "end_at")
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


@dataclass(frozen=True, slots=True)
class Shape:
    """Which filters a list has: what its statements are made of. The values are their parameters."""

    sees_all: bool = False
    permissions: tuple[str, ...] = ()
    mobile: bool | None = None
    active_only: bool = False
    by_org: bool = False
    by_text: bool = False
    by_keys: bool = False

    def seen(self) -> str:
        """True for a course that somebody without a role in it (or, for `sees_all`, global staff) gets listed."""
        if self.sees_all:
            return "not c.deleted"
        return " and ".join(f"({part})" for part in (VISIBLE, *(PERMISSIONS[name] for name in self.permissions)))

    def matching(self, first: int) -> str:
        """The filters that hold for everybody; their parameters are numbered from *first*."""
        parts = []
        if self.mobile is not None:
            parts.append("c.mobile_available" if self.mobile else "not c.mobile_available")
        if self.active_only:
            parts.append(NOT_ENDED)
        given = (
            (self.by_org, "c.org = ${}"),
            (self.by_text, "c.searched like ${}"),
            (self.by_keys, "c.course_key = any(${}::text[])"),
        )
        for number, part in enumerate((part for wanted, part in given if wanted), first):
            parts.append(part.format(number))
        return " and ".join(parts) or "true"


_LATER = "least({})".format(", ".join(f"case when c.{name} > now() then c.{name} end" for name in INSTANTS))

PAGE = """
select s.rev, case when s.rev = $2 and now() < $3 then coalesce((
  select replace(string_agg(d.item, ',' order by d.pos), chr(127), $4) from course_document d
  where d.pos = any($1::bigint[])), '') end as items
from catalogue_state s where s.id = 1"""

IDS = """
select s.rev, case when s.rev = $2 and now() < $3 then coalesce((
  select string_agg(to_json(d.spelling)::text, ',' order by d.pos) from course_document d
  where d.pos = any($1::bigint[])), '') end as items
from catalogue_state s where s.id = 1"""


@lru_cache(maxsize=256)
def build(shape: Shape) -> str:
    """All positions of a list, as big-endian bytes. Parameters: the filters'."""
    return f"""
select s.rev, s.epoch, now() as as_of, coalesce(b.ids, ''::bytea) as ids, coalesce(b.later, 'infinity') as until
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
    nexts = ", ".join(f"(select min({name}) from course where {name} > now())" for name in INSTANTS)
    passed = " union ".join(f"select pos from course where {name} > $2 and {name} <= now()" for name in INSTANTS)
    return f"""
select s.rev, s.epoch, now() as as_of, coalesce(least({nexts}), 'infinity') as until,
  array(select case when {shape.seen()} and {shape.matching(3)} then c.pos else -c.pos end
    from course c where c.pos in (
    select pos from course where listing_rev > $1 union {passed} limit {DELTA_LIMIT + 1})) as changed
from catalogue_state s where s.id = 1"""


@lru_cache(maxsize=256)
def extras(shape: Shape, *, by_orgs: bool) -> str:
    """Courses that a viewer is listed only because of a role. Parameters: user, organizations if any, the filters'."""
    role = " and r.role = 'instructor'" if "instructor" in shape.permissions else ""
    held = f"select r.course_key from course_role r where r.user_id = $1 and not r.removed{role}"
    if by_orgs:
        held += " union select o.course_key from course o where o.org = any($2::text[])"
    return f"""
select s.rev, array(select c.pos from course c
  where c.course_key in ({held}) and not c.deleted and not ({shape.seen()})
    and {shape.matching(3 if by_orgs else 2)} order by 1) as ids
from catalogue_state s where s.id = 1"""


_DETAIL = """
select replace(left(d.item, -1), chr(127), $2) || ',"overview":'
  || to_json(coalesce(d.about->>'overview', ''))::text || '}}'
from course c join course_document d using (course_key) where c.course_key = $1 and not c.deleted and {seen}"""

DETAIL = _DETAIL.format(seen=f"({VISIBLE})")
DETAIL_FOR_STAFF = _DETAIL.format(seen="true")
DETAIL_FOR_USER = _DETAIL.format(
    seen=f"""({VISIBLE} or c.org = any($4::text[]) or exists (
      select from course_role r where r.user_id = $3 and r.course_key = c.course_key and not r.removed))"""
)
