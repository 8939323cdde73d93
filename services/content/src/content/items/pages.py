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

_CONTAINERS = frozenset({"course", "chapter", "sequential"})


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


def outline_page(tree: Tree, visible: Collection[str] | None, overview: str | None, *, user: str | None) -> str:
    """The course; *visible* None means that the reader may see what it says about itself, and not what is in it."""
    title = course_title(tree)
    root = tree.nodes.get(tree.root or "")
    parts = [_draft_note(tree), f"<h1>{escape(title)}</h1>", _facts(tree, root)]
    if overview:
        parts.append(f'<div class="card">{sanitize(Links(tree).rewrite(overview))}</div>')
    if visible is None:
        parts.append('<p class="note">Learners and the team of this course can read what is in it.</p>')
    else:
        parts.append(_outline(tree, root, visible))
    return render_page(title, "".join(parts), user=user, lang=_language(root))


def _facts(tree: Tree, root: Node | None) -> str:
    key = tree.course
    facts = [f"{escape(key.org)} · {escape(key.course)} · {escape(key.run)}"]
    if root:
        for name, label in (("start", "Starts"), ("end", "Ends")):
            moment = parse_date(root.settings.get(name))
            if moment and moment.year < 2030:
                facts.append(f'{label} <time datetime="{moment.isoformat()}">{moment:%d %B %Y}</time>')
    return f'<p class="muted">{" · ".join(facts)}</p>'


def _outline(tree: Tree, root: Node | None, visible: Collection[str]) -> str:
    chapters = [tree.nodes[child] for child in root.children if child in visible] if root else []
    if not chapters:
        return '<p class="note">Nothing in this course is open yet.</p>'
    return '<nav aria-label="Course outline">' + "".join(_chapter(tree, node, visible) for node in chapters) + "</nav>"


def _chapter(tree: Tree, chapter: Node, visible: Collection[str]) -> str:
    lines = [f'<section><h2><a href="{_address(tree, chapter)}">{escape(chapter.title)}</a></h2>']
    for sequential in _children(tree, chapter, visible):
        due = parse_date(sequential.setting("due"))
        tags = ""
        if isinstance(sequential.settings.get("format"), str) and sequential.settings["format"]:
            tags += f' <span class="tag">{escape(str(sequential.settings["format"]))}</span>'
        if due:
            tags += f' <span class="tag">due {due:%d %B %Y, %H:%M} UTC</span>'
        units = "".join(
            f'<li><a href="{_address(tree, unit)}">{escape(unit.title)}</a></li>'
            for unit in _children(tree, sequential, visible)
        )
        lines.append(
            f'<h3><a href="{_address(tree, sequential)}">{escape(sequential.title)}</a>{tags}</h3><ol>{units}</ol>'
        )
    return "".join(lines) + "</section>"


def block_page(rendering: Rendering, node: Node, *, user: str | None) -> str:
    """A block with its place in the course, and the units before and after it."""
    tree = rendering.tree
    body = [_draft_note(tree), _crumbs(tree, node), f"<h1>{escape(node.title)}</h1>"]
    if node.type in _CONTAINERS:
        items = "".join(
            f'<li><a href="{_address(tree, child)}">{escape(child.title)}</a></li>'
            for child in _children(tree, node, rendering.visible)
        )
        body.append(f"<ol>{items}</ol>" if items else '<p class="muted">There is nothing to see here yet.</p>')
    else:
        body.append(render_block(rendering, node.block_id, level=1))
    body.append(_pager(tree, node, rendering.visible))
    return render_page(f"{node.title} · {course_title(tree)}", "".join(body), user=user,
                       lang=_language(tree.nodes.get(tree.root or "")))  # fmt: skip


def _draft_note(tree: Tree) -> str:
    if tree.branch != DRAFT:
        return ""
    return (
        f'<p class="note">This is the draft. <a href="/course/{tree.course}/branch/published">What is published</a></p>'
    )


def _crumbs(tree: Tree, node: Node) -> str:
    above = list(reversed(tree.ancestors(node.block_id)))
    links = [f'<a href="/course/{escape(tree.spelling)}">{escape(course_title(tree))}</a>']
    links += [f'<a href="{_address(tree, parent)}">{escape(parent.title)}</a>' for parent in above[1:]]
    return f'<nav class="crumbs" aria-label="Where you are">{" › ".join(links)}</nav>'


def _pager(tree: Tree, node: Node, visible: Collection[str]) -> str:
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
    before = tree.nodes[units[here - 1]] if here else None
    after = tree.nodes[units[here + 1]] if here + 1 < len(units) else None
    previous = (
        f'<a rel="prev" href="{_address(tree, before)}">← {escape(before.title)}</a>' if before else "<span></span>"
    )
    following = (
        f'<a rel="next" href="{_address(tree, after)}">{escape(after.title)} →</a>' if after else "<span></span>"
    )
    return f'<nav class="pager" aria-label="Units">{previous}{following}</nav>'


def _children(tree: Tree, node: Node, visible: Collection[str]) -> list[Node]:
    return [tree.nodes[child] for child in node.children if child in visible and child in tree.nodes]


def _address(tree: Tree, node: Node) -> str:
    return f"/xblock/{escape(str(tree.usage(node.block_id)))}"


def _language(root: Node | None) -> str:
    language = root.settings.get("language") if root else None
    return language if isinstance(language, str) and language.replace("-", "").isalnum() else "en"


def refusal_page(status: int, message: str, *, user: str | None) -> str:
    titles = {401: "Please log in", 403: "This page is not open to you", 404: "There is no such page"}
    title = titles.get(status, "This cannot be shown")
    return render_page(title, f"<h1>{title}</h1><p>{escape(message)}</p>", user=user)
