"""The page of a course's assets."""

from collections.abc import Sequence
from html import escape

from common.keys import CourseKey
from common.pages import render_page
from content.assets.serving import Asset


def assets_page(course: CourseKey, spelling: str, assets: Sequence[Asset], *, user: str | None) -> str:
    rows = "".join(
        f'<tr><td><a href="/{escape(str(course.asset(asset.name)))}">{escape(asset.display_name)}</a></td>'
        f"<td>{escape(asset.content_type)}</td><td>{_size(asset.size)}</td>"
        f"<td>{'locked' if asset.locked else 'open'}</td></tr>"
        for asset in assets
    )
    head = "<thead><tr><th>Name</th><th>Type</th><th>Size</th><th>Access</th></tr></thead>"
    table = "<p>There are none.</p>"
    if rows:
        table = f'<div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>'
    crumbs = f'<nav class="crumbs"><a href="/course/{escape(spelling)}">{escape(spelling)}</a></nav>'
    return render_page(
        "Files and uploads",
        f"{crumbs}<h1>Files and uploads</h1>{table if rows else '<p>There are none.</p>'}",
        user=user,
    )


def _size(size: int) -> str:
    if size < 0:
        return ""
    return f"{size} B" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
