"""A course as people see it: its card, and the page about it. Texts of authors are escaped or sanitised here."""

import re
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import TypedDict
from urllib.parse import quote

import nh3

from common.keys import CourseKey, clean_asset_name
from common.pages import render_page
from course_catalog.courses.queries import Offer
from course_catalog.courses.rendering import start_display
from course_catalog.modes.models import Mode

Course = Mapping[str, object]

STYLE = """<style>
.course{padding:0;overflow:hidden;display:flex;flex-direction:column;position:relative}
.course:hover,.course:focus-within{border-color:var(--accent)}
.cover{--tinted:linear-gradient(135deg,var(--accent),var(--line));background:center/cover;aspect-ratio:16/9;display:block}
.course .text{padding:.9rem 1.1rem 1.1rem;display:flex;flex-direction:column;gap:.35rem;flex:1}
.course h2{font-size:1.08rem;margin:0;line-height:1.35}.course h2 a{color:inherit;text-decoration:none}
.course h2 a::after{content:"";position:absolute;inset:0}.course p{margin:0;font-size:.92rem}
.course .foot{margin-top:auto;padding-top:.5rem;font-size:.88rem}
.about{display:grid;gap:2rem;grid-template-columns:minmax(0,1fr) 19rem;align-items:start}
.about .cover{border-radius:var(--radius)}.lead{font-size:1.15rem;margin-top:0}
.facts{margin:.5rem 0 0}.state{font-weight:600;margin:.9rem 0 0}
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


def card(course: Course) -> str:
    short = _text(course, "short_description").strip()
    teaser = f'<p class="muted">{escape(short if len(short) <= 160 else short[:157] + "…")}</p>' if short else ""
    hidden = '<span class="tag">Not in the public catalogue</span>' if course.get("hidden") else ""
    return (
        f'<li class="card course">{_cover(course)}<div class="text">'
        f'<p class="muted">{escape(_text(course, "org"))} · {escape(_text(course, "number"))}</p>'
        f'<h2><a href="{escape(_address(course))}">{escape(_text(course, "name"))}</a></h2>{teaser}'
        f'<p class="foot muted">Starts: {escape(_starts(course))} {hidden}</p></div></li>'
    )


def window_state(course: Course, now: datetime) -> tuple[str, str]:
    """(class, text) of whether somebody can enroll now."""
    opens, closes = _instant(course.get("enrollment_start")), _instant(course.get("enrollment_end"))
    if closes is not None and closes <= now:
        return "bad", f"Enrollment closed on {_day(course.get('enrollment_end'))}"
    if opens is not None and opens > now:
        return "info", f"Enrollment opens on {_day(course.get('enrollment_start'))}"
    if course.get("invitation_only"):
        return "info", "Enrollment by invitation only"
    return "ok", f"Open for enrollment until {_day(course.get('enrollment_end'))}" if closes else "Open for enrollment"


def _instant(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


def _price(mode: Mode) -> str:
    return f"{mode.min_price:,} {mode.currency.upper()}" if mode.min_price else "Free"


def _modes(offer: Offer) -> str:
    return (
        '<h2>Ways to take it</h2><div class="scroll"><table><thead><tr><th scope="col">Mode</th>'
        '<th scope="col">Price</th><th scope="col">Offered until</th></tr></thead><tbody>'
        f"{''.join(map(_mode, offer.modes))}</tbody></table></div>"
    )


def _mode(mode: Mode) -> str:
    more = f'<div class="muted">{escape(mode.description)}</div>' if mode.description else ""
    until = _day(mode.expiration_datetime.isoformat()) if mode.expiration_datetime else None
    return f"<tr><td>{escape(mode.name or mode.slug)}{more}</td><td>{_price(mode)}</td><td>{until or '–'}</td></tr>"


def render_about(course: Course, key: CourseKey, offer: Offer, *, user: str | None) -> str:
    """One course: its texts, its dates, how it may be taken, the way into its content."""
    name, short = _text(course, "name"), _text(course, "short_description").strip()
    facts: list[_Fact] = [
        {"term": "Number", "value": _text(course, "number")},
        {"term": "Starts", "value": _starts(course)},
        {"term": "Ends", "value": _day(course.get("end")) or ""},
        {"term": "Enrollment opens", "value": _day(course.get("enrollment_start")) or ""},
        {"term": "Enrollment closes", "value": _day(course.get("enrollment_end")) or ""},
        {"term": "Effort", "value": _text(course, "effort").strip()},
        {"term": "Pace", "value": "Your own" if course.get("pacing") == "self" else "Set by the instructor"},
    ]
    rows = "".join(
        f"<div><dt>{fact['term']}</dt><dd>{escape(fact['value'])}</dd></div>" for fact in facts if fact["value"]
    )
    overview = sanitise(_text(course, "overview"), key)
    kind, state = window_state(course, offer.now)
    elsewhere = (
        f'<p><a href="{escape(offer.marketing_url)}" rel="noopener">More about this course</a></p>'
        if offer.marketing_url
        else ""
    )
    body = (
        f'{STYLE}<p class="crumbs"><a href="/">Courses</a> › {escape(_text(course, "org"))}</p>'
        f'<h1>{escape(name)}</h1><div class="about"><div>'
        + (f'<p class="lead">{escape(short)}</p>' if short else "")
        + (overview or '<p class="muted">Nothing has been written about this course yet.</p>')
        + f'{_modes(offer)}{elsewhere}</div><aside class="card">{_cover(course)}'
        f'<p class="state {kind}">{escape(state)}</p><dl class="facts">{rows}</dl>{_video(course)}'
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
