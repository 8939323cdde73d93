"""The checklists of a course as a page."""

from collections.abc import Sequence
from html import escape

from common.pages import render_page
from content.checklists.models import Checklist, Ticked


def checklists_page(
    spelling: str, checklists: Sequence[Checklist], ticked: Ticked, addresses: dict[str, str], *, user: str | None
) -> str:
    course = escape(spelling)
    crumbs = f'<nav class="crumbs" aria-label="Where you are"><a href="/course/{course}">{course}</a></nav>'
    body = [f"{crumbs}<h1>Checklists</h1>"]
    for checklist in checklists:
        done = sum((checklist.name, item.name) in ticked for item in checklist.items)
        items = "".join(_item(checklist, place, ticked, addresses) for place in range(len(checklist.items)))
        body.append(
            f'<section class="card"><h2>{escape(checklist.short)}</h2>'
            f'<p class="muted">{done} of {len(checklist.items)} done</p><ul class="checklist">{items}</ul></section>'
        )
    return render_page(f"Checklists · {spelling}", "".join(body), user=user)


def _item(checklist: Checklist, place: int, ticked: Ticked, addresses: dict[str, str]) -> str:
    item = checklist.items[place]
    is_done = (checklist.name, item.name) in ticked
    label = f"{checklist.name}-{item.name}"
    address = addresses.get(item.action, item.action)
    link = f' <a href="{escape(address)}">{escape(item.action_text)}</a>' if address and item.action_text else ""
    return (
        f'<li><input type="checkbox" id="{label}" disabled{" checked" if is_done else ""}>'
        f' <label for="{label}">{escape(item.short)}</label><p class="muted">{escape(item.long)}{link}</p></li>'
    )
