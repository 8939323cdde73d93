"""Constant statements of relevance and facets; like those of lists, one per combination of filters."""

from dataclasses import replace
from functools import lru_cache

from course_catalog.courses.statements import OFFERED, Shape, Special, special


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


@lru_cache(maxsize=256)
def facets(shape: Shape, ways: Special | None, *, default_mode: str) -> str:
    """How many courses of a list have each organization, language, pace and mode; and until when that is so.

    Parameters: those of `special`, the filters'. One pass over the narrow table.
    """
    first = 1 + (ways.parameters if ways else 0)
    default = default_mode.replace("'", "''")
    return f"""
with listed as materialized (
  select c.course_key, c.org, c.language, c.self_paced from course c
  where {_visible(shape, ways)} and {shape.matching(first)}),
offered as (
  select m.course_key, m.slug from course_mode m join listed c using (course_key) where {OFFERED}),
counted as (
  select 'org' as facet, min(split_part(split_part(course_key, ':', 2), '+', 1)) as value, count(*) as courses
    from listed group by org
  union all select 'language', language, count(*) from listed where language <> '' group by language
  union all select 'pacing', case when self_paced then 'self' else 'instructor' end, count(*) from listed group by 2
  union all select 'mode', slug, count(*) from (
    select course_key, slug from offered
    union select l.course_key, '{default}' from listed l
      where not exists (select from offered f where f.course_key = l.course_key)) modes group by slug)
select coalesce((select json_agg(json_build_array(facet, value, courses) order by facet, courses desc, value)
    from counted), '[]') as counts,
  coalesce((select min(expiration_datetime) from course_mode where expiration_datetime > now()), 'infinity') as until,
  now() as as_of"""
