"""Parts of what Studio knows of a block: `?fields=…`, its outline, its container view. No I/O."""

from collections.abc import Collection, Mapping
from datetime import datetime

from content.blocks.visibility import has_started, is_staff_only
from content.items.course_info import child_info
from content.items.serializing import Json, TeamView, print_item
from content.versions.tree import Node, Tree

_OWN = ("data", "fields", "metadata", "children")


def print_grader(usage: str, settings: Mapping[str, object]) -> Json:
    """The grader type of a block: its `format` while it is graded."""
    kind = settings.get("format") if settings.get("graded") is True else None
    return {"graderType": kind if isinstance(kind, str) and kind else "notgraded", "location": usage}


def print_ancestors(tree: Tree, node: Node, visible: Collection[str], team: TeamView, now: datetime) -> list[Json]:
    """Nearest parent first, the course last."""
    return [_print_plain(tree, above, visible, team, now) for above in tree.ancestors(node.block_id)]


def print_tokens(tree: Tree, node: Node) -> Json:
    """Parent and children by type and name."""
    parent = tree.nodes.get(node.parent or "")
    return {
        "parent": _token(parent) if parent else None,
        "children": [_token(tree.nodes[child]) for child in node.children if child in tree.nodes],
    }


def print_outline(tree: Tree, node: Node, visible: Collection[str], team: TeamView, now: datetime) -> Json:
    """The block with what is below it, down to the units."""
    item = _print_plain(tree, node, visible, team, now)
    item["has_changes"] = node.block_id in changed(tree, team.published, node.block_id)
    if node.type != "vertical":
        item["child_info"] = child_info(tree, node, visible, team, now, set())
        _tell_changes(item, changed(tree, team.published, node.block_id))
    return item


def print_container(tree: Tree, node: Node, visible: Collection[str], team: TeamView, now: datetime) -> Json:
    """A unit (or any container) as the page that edits it needs it."""
    item = print_item(tree, node, {}, visible, team=team, rewrite=False, now=now)
    item["ancestor_info"] = {"ancestors": print_ancestors(tree, node, visible, team, now)}
    item["child_info"] = {
        "category": node.type,
        "display_name": node.display_name,
        "children": [
            _print_plain(tree, tree.nodes[child], visible, team, now) for child in node.children if child in tree.nodes
        ],
    }
    item["currently_visible_to_students"] = _is_visible(tree, node, team, now)
    item["release_date_from"] = _where_from(tree, node, "start")
    item["staff_lock_from"] = _where_from(tree, node, "visible_to_staff_only") if is_staff_only(node) else None
    return item


def changed(tree: Tree, published: Tree | None, top: str) -> set[str]:
    """The blocks from *top* down that have changes, themselves or below; one walk for all of them."""
    line = [node.block_id for node in tree.walk(top)]
    found: set[str] = set()
    for block_id in reversed(line):
        node = tree.nodes[block_id]
        twin = published.nodes.get(block_id) if published else None
        if twin is None or not node.says_the_same(twin) or any(child in found for child in node.children):
            found.add(block_id)
    return found


def _tell_changes(item: Json, found: set[str]) -> None:
    stack = [item]
    while stack:
        here = stack.pop()
        block_type, _, name = str(here["id"]).partition("+type@")[2].partition("+block@")
        here["has_changes"] = f"{block_type}@{name}" in found
        below = here.get("child_info")
        stack.extend(below["children"] if isinstance(below, dict) else [])


def _print_plain(tree: Tree, node: Node, visible: Collection[str], team: TeamView, now: datetime) -> Json:
    item = print_item(tree, node, {}, visible, team=team, rewrite=False, now=now)
    return {name: value for name, value in item.items() if name not in _OWN}


def _token(node: Node) -> Json:
    return {"block_type": node.type, "block_id": node.name}


def _is_visible(tree: Tree, node: Node, team: TeamView, now: datetime) -> bool:
    """Do learners see it now, as it was published?"""
    twin = team.published.nodes.get(node.block_id) if team.published else None
    return twin is not None and has_started(twin, now) and not is_staff_only(twin)


def _where_from(tree: Tree, node: Node, name: str) -> str | None:
    """The nearest block, of this one and those above, that sets it: `Section "Week 1"`."""
    for here in (node, *tree.ancestors(node.block_id)):
        if name in here.settings:
            kinds = {"course": "Course", "chapter": "Section", "sequential": "Subsection", "vertical": "Unit"}
            return f'{kinds.get(here.type, here.type)} "{here.title}"'
    return None
