"""Pages for people: a course's outline, and its blocks with the way through them."""

from collections.abc import Collection, Sequence
from html import escape

from common.pages import render_page
from content.courses.queries import Listed
from content.dates import parse_date
from content.rendering.blocks import Rendering, render_block
from content.rendering.html import sanitize
from content.rendering.links import Links
from content.versions.models import DRAFT
from content.versions.tree import Node, Tree

_CONTAINERS = frozenset({"course", "chapter", "sequential", "library"})


def course_title(tree: Tree) -> str:
    root = tree.nodes.get(tree.root or "")
    return (root.display_name if root else "") or tree.course.course


def courses_page(courses: Sequence[Listed], *, user: str | None) -> str:
    items = "".join(
        f'<li class="card"><h2><a href="/course/{escape(listed.spelling)}">'
        f"{escape(str(listed.settings.get('display_name') or listed.course.course))}</a></h2>"
        f'<p class="muted">{escape(listed.course.org)} · {escape(listed.course.course)} · {escape(listed.course.run)}'
        "</p></li>"
        for listed in courses
    )
    body = f'<h1>Courses</h1><ul class="grid">{items}</ul>' if items else "<h1>Courses</h1><p>There are none yet.</p>"
    return render_page("Courses", body, user=user)


def outline_page(
    tree: Tree, links: Links, visible: Collection[str] | None, overview: str | None, *, team: bool, user: str | None
) -> str:
    """The course; *visible* None means that the reader may see what it says about itself, and not what is in it."""
    title = course_title(tree)
    root = tree.nodes.get(tree.root or "")
    parts = [_note(tree), f"<h1>{escape(title)}</h1>", _facts(tree, root)]
    if team:
        tools = [("assets", "Files and uploads"), *([] if tree.course.is_library else [("checklists", "Checklists")])]
        way = " · ".join(f'<a href="/{place}/{escape(tree.spelling)}">{name}</a>' for place, name in tools)
        parts.append(f"<p>{way}</p>")
    if visible is None:
        parts.append('<p class="note">Learners and the team of this course can read what is in it.</p>')
    else:
        parts.append(_outline(tree, links, root, visible))
    if overview:
        about = sanitize(links.rewrite(overview), links.relative)
        parts.append(f'<section class="card about" aria-label="About this course">{about}</section>')
    return render_page(title, "".join(parts), user=user, lang=_language(root))


def _facts(tree: Tree, root: Node | None) -> str:
    key = tree.course
    names = (key.org, key.course) if key.is_library else (key.org, key.course, key.run)
    facts = [" · ".join(map(escape, names))]
    if root:
        for name, label in (("start", "Starts"), ("end", "Ends")):
            moment = parse_date(root.settings.get(name))
            if moment and moment.year < 2030:
                facts.append(f'{label} <time datetime="{moment.isoformat()}">{moment:%d %B %Y}</time>')
    return f'<p class="muted">{" · ".join(facts)}</p>'


def _outline(tree: Tree, links: Links, root: Node | None, visible: Collection[str]) -> str:
    inside = _children(tree, root, visible) if root else []
    if not inside:
        what = "This library is empty." if tree.course.is_library else "Nothing in this course is open yet."
        return f'<p class="note">{what}</p>'
    if tree.course.is_library:
        lines = "".join(
            f'<li><a href="{escape(links.block(node.block_id))}">{escape(node.title)}</a> '
            f'<span class="tag">{escape(node.type)}</span></li>'
            for node in inside
        )
        return f'<nav aria-label="Blocks of this library"><ul>{lines}</ul></nav>'
    chapters = "".join(_chapter(tree, links, node, visible) for node in inside)
    return f'<nav class="outline" aria-label="Course outline">{chapters}</nav>'


def _chapter(tree: Tree, links: Links, chapter: Node, visible: Collection[str]) -> str:
    lines = [f"<section><h2>{_link(links, chapter)}</h2>"]
    for sequential in _children(tree, chapter, visible):
        units = "".join(f"<li>{_link(links, unit)}</li>" for unit in _children(tree, sequential, visible))
        lines.append(f"<h3>{_link(links, sequential)}{_tags(sequential)}</h3><ol>{units}</ol>")
    return "".join(lines) + "</section>"


def _tags(sequential: Node) -> str:
    tags = ""
    kind = sequential.settings.get("format")
    if isinstance(kind, str) and kind:
        tags += f' <span class="tag">{escape(kind)}</span>'
    due = parse_date(sequential.setting("due"))
    if due:
        tags += f' <span class="tag">due <time datetime="{due.isoformat()}">{due:%d %B %Y, %H:%M}</time> UTC</span>'
    return tags


def block_page(rendering: Rendering, node: Node, *, user: str | None) -> str:
    """A block with its place in the course, what is around it, and the units before and after it."""
    tree, links = rendering.tree, rendering.links
    body = [_note(tree), _crumbs(tree, links, node), f"<h1>{escape(node.title)}</h1>"]
    if node.type in _CONTAINERS:
        body.append(_contents(rendering, node))
    else:
        body.append(render_block(rendering, node.block_id, level=1))
    body.append(_pager(tree, links, node, rendering.visible))
    beside = _beside(tree, links, node, rendering.visible)
    whole = f'<div class="beside"><article>{"".join(body)}</article>{beside}</div>' if beside else "".join(body)
    return render_page(f"{node.title} · {course_title(tree)}", whole, user=user,
                       lang=_language(tree.nodes.get(tree.root or "")))  # fmt: skip


def _contents(rendering: Rendering, node: Node) -> str:
    """What a chapter or a sequential leads to; of a chapter also what is one level further down."""
    lines = []
    for child in _children(rendering.tree, node, rendering.visible):
        below = _children(rendering.tree, child, rendering.visible) if child.type == "sequential" else []
        units = "".join(f"<li>{_link(rendering.links, unit)}</li>" for unit in below)
        lines.append(f"<li>{_link(rendering.links, child)}{_tags(child)}{f'<ol>{units}</ol>' if units else ''}</li>")
    if not lines:
        return '<p class="muted">There is nothing to see here yet.</p>'
    return f'<ol class="contents">{"".join(lines)}</ol>'


def _beside(tree: Tree, links: Links, node: Node, visible: Collection[str]) -> str:
    """The chapter that a block is in, so that a reader can go on from anywhere in it."""
    line = [node, *tree.ancestors(node.block_id)]
    here = {found.block_id for found in line}
    chapter = next((found for found in line if found.type == "chapter"), None)
    if chapter is None or node is chapter:
        return ""
    parts = []
    for sequential in _children(tree, chapter, visible):
        units = "".join(
            f"<li>{_link(links, unit, current=unit.block_id in here)}</li>"
            for unit in _children(tree, sequential, visible)
        )
        parts.append(f"<li>{_link(links, sequential, current=sequential is node)}<ol>{units}</ol></li>")
    return (
        f'<nav class="side" aria-label="In this chapter"><p class="muted">{_link(links, chapter)}</p>'
        f"<ul>{''.join(parts)}</ul></nav>"
    )


def _note(tree: Tree) -> str:
    """That this is not what learners read."""
    if tree.branch != DRAFT:
        return ""
    return (
        f'<p class="note">This is the draft. <a href="/course/{escape(tree.spelling)}/branch/published">What is '
        "published</a></p>"
    )


def _crumbs(tree: Tree, links: Links, node: Node) -> str:
    above = list(reversed(tree.ancestors(node.block_id)))
    way = [f'<a href="{escape(links.course())}">{escape(course_title(tree))}</a>']
    way += [_link(links, parent) for parent in above[1:]]
    return f'<nav class="crumbs" aria-label="Where you are">{" › ".join(way)}</nav>'


def _pager(tree: Tree, links: Links, node: Node, visible: Collection[str]) -> str:
    """Previous and next unit, in the order of the course."""
    units = [
        block_id
        for block_id in tree.order
        if block_id in visible and tree.nodes[tree.nodes[block_id].parent or block_id].type == "sequential"
    ]
    line = {node.block_id, *(parent.block_id for parent in tree.ancestors(node.block_id))}
    here = next((place for place, unit in enumerate(units) if unit in line), None)
    if here is None:
        return ""

    def way(place: int, rel: str, text: str) -> str:
        if not 0 <= place < len(units):
            return "<span></span>"
        unit = tree.nodes[units[place]]
        return f'<a rel="{rel}" href="{escape(links.block(unit.block_id))}">{text.format(escape(unit.title))}</a>'

    before, after = way(here - 1, "prev", "← {}"), way(here + 1, "next", "{} →")
    return f'<nav class="pager" aria-label="Units">{before}{after}</nav>'


def _link(links: Links, node: Node, *, current: bool = False) -> str:
    mark = ' aria-current="page"' if current else ""
    return f'<a href="{escape(links.block(node.block_id))}"{mark}>{escape(node.title)}</a>'


def _children(tree: Tree, node: Node, visible: Collection[str]) -> list[Node]:
    return [tree.nodes[child] for child in node.children if child in visible and child in tree.nodes]


def _language(root: Node | None) -> str:
    language = root.settings.get("language") if root else None
    return language if isinstance(language, str) and language.replace("-", "").isalnum() else "en"


def refusal_page(status: int, message: str, *, user: str | None) -> str:
    titles = {401: "Please log in", 403: "This page is not open to you", 404: "There is no such page"}
    title = titles.get(status, "This cannot be shown")
    return render_page(title, f"<h1>{title}</h1><p>{escape(message)}</p>", user=user)
