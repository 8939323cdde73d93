"""The catalogue as people see it: a search, what refines it, cards, a pager. Works without scripts, on a phone too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from common.pages import render_page
from course_catalog.courses.pages import STYLE, Course, card
from course_catalog.discovery.facets import Facets
from course_catalog.discovery.languages import language_name

_STYLE = """<style>
.hero{margin-bottom:1rem}.hero h1{margin:0}
.find{margin:0 0 1.5rem}.search{display:flex;gap:.5rem;max-width:38rem}.search input{flex:1;min-width:0}
.filters{margin-top:.75rem}.filters summary{cursor:pointer;width:max-content;padding:.3rem 0}
.choices{display:grid;gap:.25rem 1rem;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));align-items:end}
.choices select{width:100%}.choices .go{display:flex;gap:1rem;align-items:center;padding-top:.6rem}
.found{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;margin:0 0 1rem}
.chip{border:1px solid var(--line);border-radius:99px;padding:.1rem .7rem;font-size:.9rem}
.chip{text-decoration:none;color:inherit}
.chip:hover{border-color:var(--accent)}.chip b{font-weight:600}
.grid{margin:0}@media(max-width:40rem){.grid .cover{aspect-ratio:16/6}}
</style>"""
LABELS = {"org": "Organization", "language": "Language", "pacing": "Pace", "mode": "Enrollment"}
_PACES = {"self": "Your own pace", "instructor": "Set by the instructor"}
_MODES = {
    "audit": "Audit",
    "honor": "Honor",
    "verified": "Verified certificate",
    "professional": "Professional",
    "no-id-professional": "Professional",
    "credit": "Credit",
    "masters": "Master's",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was asked for."""

    search: str
    chosen: Mapping[str, str]
    by_id: bool = False

    def link(self, without: str) -> str:
        """The same without one choice, or without the search."""
        kept = {name: value for name, value in self.chosen.items() if name != without}
        if self.search and without != "search_term":
            kept = {"search_term": self.search, **kept}
        return f"/?{urlencode(kept)}" if kept else "/"


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found."""

    courses: Sequence[Course]
    count: int
    page: int
    pages: int
    following: str | None
    previous: str | None
    facets: Facets


def value_name(facet: str, value: str) -> str:
    if facet == "pacing":
        return _PACES.get(value, value)
    if facet == "mode":
        return _MODES.get(value, value)
    return language_name(value) if facet == "language" else value


def render_catalogue(asked: Asked, shown: Shown, *, user: str | None) -> str:
    cards = "".join(map(card, shown.courses))
    nothing = "No course was found." if asked.search or asked.chosen else "There are no courses yet."
    body = (
        f'{STYLE}{_STYLE}<div class="hero"><h1>Courses</h1></div>{_form(asked, shown.facets)}{_found(asked, shown)}'
        + (f'<ul class="grid">{cards}</ul>' if cards else f'<p class="note">{nothing}</p>')
        + _pager(shown)
    )
    return render_page("Courses", body, user=user)


def _form(asked: Asked, facets: Facets) -> str:
    choices = "".join(_choice(name, facets.get(name, ()), asked.chosen.get(name)) for name in LABELS)
    number = len(asked.chosen)
    return (
        '<form class="find" role="search" action="/" method="get"><div class="search">'
        f'<input type="search" name="search_term" value="{escape(asked.search)}" '
        'placeholder="Name, number or subject" aria-label="Search courses"><button>Search</button></div>'
        f'<details class="filters"><summary>Filters{f" ({number})" if number else ""}</summary>'
        f'<div class="choices">{choices}<div class="go"><button>Apply</button></div></div></details></form>'
    )


def _choice(name: str, values: Sequence[tuple[str, int]], chosen: str | None) -> str:
    known = list(values)
    if chosen is not None and all(not _same(name, value, chosen) for value, _ in known):
        known.append((chosen, 0))
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if chosen is not None and _same(name, value, chosen) else ""}>'
        f"{escape(value_name(name, value))} ({count:,})</option>"
        for value, count in known
    )
    return f'<label>{LABELS[name]}<select name="{name}"><option value="">Any</option>{options}</select></label>'


def _same(name: str, value: str, chosen: str) -> bool:
    return value == chosen or (name in {"org", "language"} and value.casefold() == chosen.casefold())


def _found(asked: Asked, shown: Shown) -> str:
    number = f"{shown.count:,} course" + ("" if shown.count == 1 else "s")
    chips = [
        _chip(f"{LABELS[name]}: <b>{escape(value_name(name, value))}</b>", asked.link(name), LABELS[name])
        for name, value in asked.chosen.items()
    ]
    if asked.search:
        chips.insert(0, _chip(f"“<b>{escape(asked.search)}</b>”", asked.link("search_term"), "the search"))
    if len(chips) > 1:
        chips.append('<a href="/">Show all</a>')
    return f'<div class="found" role="status"><span class="muted">{number}</span>{"".join(chips)}</div>'


def _chip(html: str, link: str, what: str) -> str:
    return (
        f'<a class="chip" href="{escape(link)}" title="Remove {escape(what)}">{html} <span aria-hidden="true">×</span>'
        "</a>"
    )


def _pager(shown: Shown) -> str:
    if not shown.following and not shown.previous:
        return ""
    back = f'<a rel="prev" href="{escape(shown.previous)}">← Previous</a>' if shown.previous else "<span></span>"
    onward = f'<a rel="next" href="{escape(shown.following)}">Next →</a>' if shown.following else "<span></span>"
    place = f"Page {shown.page:,} of {max(shown.pages, shown.page):,}"
    return f'<nav class="pager" aria-label="Pages">{back}<span class="muted">{place}</span>{onward}</nav>'
