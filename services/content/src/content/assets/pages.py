"""The page of a course's files: to look through and to search."""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from common.keys import CourseKey
from common.pages import render_page
from content.assets.listing import OTHER, TYPES, Question, thumbnail_path
from content.assets.queries import Listing, Page

_SORTS = (("date_added", "", "Newest first"), ("date_added", "asc", "Oldest first"), ("display_name", "asc", "Name"),
          ("content_type", "asc", "Type"), ("file_size", "desc", "Largest first"))  # fmt: skip


def assets_page(course: CourseKey, spelling: str, question: Question, page: Page, *, user: str | None) -> str:
    number = question.page_of(page.total)
    body = (
        f"{_crumbs(spelling)}<h1>Files and uploads</h1>{_form(question)}{_count(question, page, number)}"
        f"{_table(course, page.lines)}{_pager(question, page, number)}"
    )
    return render_page(f"Files and uploads · {spelling}", body, user=user)


def asset_page(course: CourseKey, spelling: str, line: Listing, *, user: str | None) -> str:
    """One file, with the way to the others."""
    name = line.asset.display_name
    body = f"{_crumbs(spelling, files=True)}<h1>{escape(name)}</h1>{_table(course, [line])}"
    return render_page(f"{name} · {spelling}", body, user=user)


def _crumbs(spelling: str, *, files: bool = False) -> str:
    course = escape(spelling)
    way = [f'<a href="/course/{course}">{course}</a>']
    if files:
        way.append(f'<a href="/assets/{course}">Files and uploads</a>')
    return f'<nav class="crumbs" aria-label="Where you are">{" › ".join(way)}</nav>'


def _form(question: Question) -> str:
    """One form, sent with GET: a search is an address like any other."""
    chosen = question.types[0] if len(question.types) == 1 else ""
    types = "".join(_option(name, "Other types" if name == OTHER else name, chosen) for name in (*TYPES, OTHER))
    sort = f"{question.sort} {question.direction}".strip()
    sorts = "".join(_option(f"{field} {direction}".strip(), label, sort) for field, direction, label in _SORTS)
    return (
        '<form class="filters" method="get" role="search" aria-label="Files">'
        f'<p><label for="text">Name contains</label><input id="text" type="search" name="text_search" '
        f'value="{escape(question.text)}"></p>'
        f'<p><label for="type">Type</label><select id="type" name="asset_type"><option value="">All types</option>'
        f"{types}</select></p>"
        f'<p><label for="sort">Order</label><select id="sort" name="sort">{sorts}</select></p>'
        "<p><button>Show</button></p></form>"
    )


def _option(value: str, label: str, chosen: str) -> str:
    return f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'


def _count(question: Question, page: Page, number: int) -> str:
    if page.total == 0:
        filtered = question.text or question.types
        return f'<p class="note">{"No file matches." if filtered else "This course has no files yet."}</p>'
    first = number * question.size
    shown = f"{first + 1} to {first + len(page.lines)} of {page.total}" if page.total > len(page.lines) else page.total
    return f'<p class="muted">{shown} file{"" if page.total == 1 else "s"}</p>'


def _table(course: CourseKey, lines: Sequence[Listing]) -> str:
    if not lines:
        return ""
    head = (
        '<thead><tr><th scope="col"><span class="hidden">Preview</span></th><th scope="col">Name</th>'
        '<th scope="col">Type</th><th scope="col">Size</th><th scope="col">Added</th><th scope="col">Access</th>'
        "</tr></thead>"
    )
    rows = "".join(_row(course, line) for line in lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Files"><table class="files">{head}'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(course: CourseKey, line: Listing) -> str:
    asset = line.asset
    small = thumbnail_path(course, line)
    picture = f'<img src="{escape(small)}" alt="" loading="lazy">' if small else ""
    return (
        f'<tr><td class="preview">{picture}</td>'
        f'<td><a href="/{escape(str(course.asset(asset.name)))}">{escape(asset.display_name)}</a>'
        f"<br><code>/static/{escape(asset.name)}</code></td><td>{escape(asset.content_type)}</td>"
        f'<td class="number">{_size(asset.size)}</td>'
        f'<td><time datetime="{asset.changed_at.isoformat()}">{asset.changed_at:%d %b %Y}</time></td>'
        f"<td>{'locked' if asset.locked else 'open'}</td></tr>"
    )


def _pager(question: Question, page: Page, number: int) -> str:
    last = max(0, (page.total - 1) // question.size)
    if last == 0:
        return ""

    def link(target: int, label: str, rel: str) -> str:
        query = {
            "page": str(target),
            "page_size": str(question.size),
            "sort": question.sort,
            "direction": question.direction,
            "asset_type": ",".join(question.types),
            "text_search": question.text,
        }
        text = urlencode({name: value for name, value in query.items() if value})
        return f'<a rel="{rel}" href="?{escape(text)}">{label}</a>'

    before = link(number - 1, "← Previous", "prev") if number > 0 else "<span></span>"
    after = link(number + 1, "Next →", "next") if number < last else "<span></span>"
    return f'<nav class="pager" aria-label="Pages">{before}<span>Page {number + 1} of {last + 1}</span>{after}</nav>'


def _size(size: int) -> str:
    if size < 0:
        return ""
    return f"{size} B" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
