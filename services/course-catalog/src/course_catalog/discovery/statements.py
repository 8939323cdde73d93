"""Constant statements of relevance and facets; like those of lists, one per combination of filters."""

from dataclasses import replace
from functools import lru_cache

from course_catalog.courses.statements import DELTA_LIMIT, NEXT_EXPIRY, OFFERED, Shape, Special, special


def _visible(shape: Shape, ways: Special | None) -> str:
    """What the viewer is listed, roles and invitations included."""
    if ways is None:
        return f"({shape.seen()})"
    held, named, allowed = special(shape, ways)
    return (
        f"(({shape.seen()}) or (not c.deleted and c.course_key in ({held})) "
        f"or (c.course_key in ({named}) and {shape.invited()}) "
        f"or (c.course_key in ({allowed}) and {shape.allowed()}))"
    )


@lru_cache(maxsize=256)
def ranked(shape: Shape, ways: Special | None, *, after: bool) -> str:
    """One page of what a search finds, best first; index `course_search_words`.

    Parameters: those of `special`, the filters' without the words, the words, base URL, page size; then either how
    many to skip, or rank and key of the course that the page comes after.
    """
    plain = replace(shape, by_text=False)
    first = 1 + (ways.parameters if ways else 0)
    words = first + plain.parameters
    rest = f"where rank < ${words + 3}::float4 or (rank = ${words + 3}::float4 and course_key > ${words + 4})"
    left = f"(select count(*) from found {rest if after else ''})"
    skip = "0" if after else f"${words + 3}"
    return f"""
with found as materialized (
  select c.course_key, ts_rank(w.words, ${words}::tsquery) as rank
  from course_search w join course c using (course_key)
  where w.words @@ ${words}::tsquery and {_visible(plain, ways)} and {plain.matching(first)}),
page as (
  select course_key, rank from found {rest if after else ""}
  order by rank desc, course_key offset {skip} limit ${words + 2}),
last as (select rank, course_key from page order by rank, course_key desc limit 1)
select
  coalesce(string_agg(replace(d.item, chr(127), ${words + 1}), ',' order by p.rank desc, p.course_key), '') as items,
  (select count(*) from found) as count, {left} as left,
  (select rank from last) as last_rank, (select course_key from last) as last_key
from page p join course_document d using (course_key)"""


# What facets count of a course, besides its place. The organization is spelled as in the key.
_TRAITS = "split_part(split_part(c.course_key, ':', 2), '+', 1) as org, c.language, c.self_paced"
_HEAD = f"select s.rev, s.epoch, now() as as_of, coalesce({NEXT_EXPIRY}, 'infinity') as until"

# All courses by what facets count of them: few rows, each with its positions as big-endian bytes.
ALL_TRAITS = f"""
{_HEAD}, g.*
from catalogue_state s left join lateral (
  select {_TRAITS}, o.slugs, string_agg(int8send(c.pos), ''::bytea) as ids
  from course c left join (
    select m.course_key, array_agg(m.slug order by m.slug) as slugs from course_mode m
    where m.expiration_datetime is null or m.expiration_datetime > now() group by m.course_key) o using (course_key)
  where not c.deleted group by 1, 2, 3, 4) g on true
where s.id = 1"""

# Those of which this may have changed since a revision ($1) and an instant ($2): indexes course_listing_rev and
# course_mode_expires.
CHANGED_TRAITS = f"""
{_HEAD}, q.*
from catalogue_state s left join lateral (
  select {_TRAITS}, array(select m.slug from course_mode m where {OFFERED} order by m.slug) as slugs, c.pos, c.deleted
  from course c where c.pos in (
    select pos from course where listing_rev > $1
    union select c.pos from course c join course_mode m using (course_key)
      where m.expiration_datetime > $2 and m.expiration_datetime <= now()
    limit {DELTA_LIMIT + 1})) q on true
where s.id = 1"""

# Is a list of that revision ($1), good until then ($2), still what the database shows? And the same of traits.
CURRENT = """
select s.rev = $1 and now() < $2 as list, s.rev = $3 and now() < $4 as traits from catalogue_state s where s.id = 1"""
