"""The catalogue and the page about a course, as people see them. Texts of authors are escaped or sanitised here."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import TypedDict
from urllib.parse import quote

import nh3

from common.keys import CourseKey, clean_asset_name
from common.pages import render_page
from course_catalog.courses.rendering import start_display

Course = Mapping[str, object]
Links = tuple[str | None, str | None]

_STYLE = """<style>
.hero{display:flex;gap:1rem 2rem;align-items:end;justify-content:space-between;flex-wrap:wrap;margin-bottom:1.5rem}
.hero h1{margin:0}.search{display:flex;gap:.5rem;flex:1;max-width:28rem}.search input{flex:1;min-width:0}
.course{padding:0;overflow:hidden;display:flex;flex-direction:column;position:relative}
.course:hover,.course:focus-within{border-color:var(--accent)}
.cover{--tinted:linear-gradient(135deg,var(--accent),var(--line));background:center/cover;aspect-ratio:16/9;display:block}
.course .text{padding:.9rem 1.1rem 1.1rem;display:flex;flex-direction:column;gap:.35rem;flex:1}
.course h2{font-size:1.08rem;margin:0;line-height:1.35}.course h2 a{color:inherit;text-decoration:none}
.course h2 a::after{content:"";position:absolute;inset:0}.course p{margin:0;font-size:.92rem}
.course .foot{margin-top:auto;padding-top:.5rem;font-size:.88rem}
.about{display:grid;gap:2rem;grid-template-columns:minmax(0,1fr) 19rem;align-items:start}
.about .cover{border-radius:var(--radius)}.lead{font-size:1.15rem;margin-top:0}
.facts{margin:1rem 0 0}
.facts div{display:flex;justify-content:space-between;gap:1rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
.facts dt{color:var(--soft)}.facts dd{margin:0;text-align:right}
@media(max-width:52rem){.about{grid-template-columns:1fr}.about aside{order:-1}}
</style>"""
_ALLOWED_TAGS = nh3.ALLOWED_TAGS | {"section"}
_STATIC = re.compile(r"\A/?static/(?P<path>[^?#]+)")


class _Fact(TypedDict):
    term: str
    value: str


def _text(course: Course, name: str) -> str:
    value = course.get(name)
    return value if isinstance(value, str) else ""


def _picture(course: Course) -> str:
    media = course.get("media")
    image = media.get("course_image") if isinstance(media, dict) else None
    return str(image.get("uri") or "") if isinstance(image, dict) else ""


def _cover(course: Course) -> str:
    """The picture as a background: where it is missing the tint below it is seen, not a broken image."""
    # quoted so that nothing in a name can end the string or the url
    address = quote(_picture(course), safe="/:@+%?&=#,~")
    return f'<span class="cover" style="background-image:url(&quot;{escape(address)}&quot;),var(--tinted)"></span>'


def _day(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return start_display(None, datetime.fromisoformat(value))[1]


def _address(course: Course) -> str:
    return f"/api/courses/v1/courses/{quote(_text(course, 'id'), safe=':+')}"


def _starts(course: Course) -> str:
    return _text(course, "start_display") or "To be announced"


def _card(course: Course) -> str:
    short = _text(course, "short_description").strip()
    teaser = f'<p class="muted">{escape(short if len(short) <= 160 else short[:157] + "…")}</p>' if short else ""
    hidden = '<span class="tag">Not in the public catalogue</span>' if course.get("hidden") else ""
    return (
        f'<li class="card course">{_cover(course)}<div class="text">'
        f'<p class="muted">{escape(_text(course, "org"))} · {escape(_text(course, "number"))}</p>'
        f'<h2><a href="{escape(_address(course))}">{escape(_text(course, "name"))}</a></h2>{teaser}'
        f'<p class="foot muted">Starts: {escape(_starts(course))} {hidden}</p></div></li>'
    )


def _pager(links: Links, page: int, of: int) -> str:
    if of < 2:
        return ""
    following, previous = links
    back = f'<a rel="prev" href="{escape(previous)}">← Previous</a>' if previous else "<span></span>"
    onward = f'<a rel="next" href="{escape(following)}">Next →</a>' if following else "<span></span>"
    return f'<nav class="pager" aria-label="Pages">{back}<span class="muted">Page {page} of {of}</span>{onward}</nav>'


def render_catalogue(
    courses: Sequence[Course], *, page: int, of: int, count: int, search: str, links: Links, user: str | None
) -> str:
    """The catalogue: cards of courses, a search field, a pager."""
    found = f"{count:,} course" + ("" if count == 1 else "s")
    if search:
        found += f" with “{escape(search)}” · <a href='/'>Show all</a>"
    cards = "".join(map(_card, courses))
    empty = "No course was found." if search else "There are no courses yet."
    body = (
        f'{_STYLE}<div class="hero"><div><h1>Courses</h1><span class="muted">{found}</span></div>'
        '<form class="search" role="search" action="/" method="get">'
        f'<input type="search" name="search_term" value="{escape(search)}" placeholder="Name, number or organization" '
        'aria-label="Search courses"><button>Search</button></form></div>'
        + (f'<ul class="grid">{cards}</ul>' if cards else f'<p class="note">{empty}</p>')
        + _pager(links, page, of)
    )
    return render_page("Courses", body, user=user)


def render_about(course: Course, key: CourseKey, *, user: str | None) -> str:
    """One course: its texts, its dates, the way into its content."""
    name, short = _text(course, "name"), _text(course, "short_description").strip()
    facts: list[_Fact] = [
        {"term": "Number", "value": _text(course, "number")},
        {"term": "Starts", "value": _starts(course)},
        {"term": "Ends", "value": _day(course.get("end")) or ""},
        {"term": "Enrollment opens", "value": _day(course.get("enrollment_start")) or ""},
        {"term": "Enrollment closes", "value": _day(course.get("enrollment_end")) or ""},
        {"term": "Effort", "value": _text(course, "effort").strip()},
        {"term": "Pace", "value": "Your own" if course.get("pacing") == "self" else "Set by the instructor"},
        {"term": "Enrollment", "value": "By invitation only" if course.get("invitation_only") else ""},
    ]
    rows = "".join(
        f"<div><dt>{fact['term']}</dt><dd>{escape(fact['value'])}</dd></div>" for fact in facts if fact["value"]
    )
    overview = sanitise(_text(course, "overview"), key)
    body = (
        f'{_STYLE}<p class="crumbs"><a href="/">Courses</a> › {escape(_text(course, "org"))}</p>'
        f'<h1>{escape(name)}</h1><div class="about"><div>'
        + (f'<p class="lead">{escape(short)}</p>' if short else "")
        + (overview or '<p class="muted">Nothing has been written about this course yet.</p>')
        + f'</div><aside class="card">{_cover(course)}<dl class="facts">{rows}</dl>{_video(course)}'
        f'<p><a class="button" href="/course/{escape(quote(str(key), safe=":+"))}">View the course</a></p>'
        "</aside></div>"
    )
    return render_page(name or _text(course, "id"), body, user=user)


def _video(course: Course) -> str:
    media = course.get("media")
    video = media.get("course_video") if isinstance(media, dict) else None
    uri = video.get("uri") if isinstance(video, dict) else None
    if not isinstance(uri, str):
        return ""
    watch = uri.replace("http://www.youtube.com/watch?v=", "https://www.youtube-nocookie.com/embed/")
    return f'<iframe title="About this course" src="{escape(watch)}" loading="lazy" allowfullscreen></iframe>'


def sanitise(html: str, key: CourseKey) -> str:
    """The author's HTML without anything that runs, restyles or frames; `/static/` points at the course's files."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name in {"src", "href"} and (found := _STATIC.match(value)):
            return f"/{key.asset(clean_asset_name(found['path']))}"
        return value

    return nh3.clean(html, tags=_ALLOWED_TAGS, attribute_filter=attribute)


def render_missing(message: str, *, user: str | None) -> str:
    """What is not there, or not for this person."""
    body = f'<h1>{escape(message)}</h1><p class="note">Look for it among <a href="/">all courses</a>.</p>'
    return render_page(message, body, user=user)
