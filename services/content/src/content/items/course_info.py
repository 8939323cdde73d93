"""A course as JSON: what it says about itself, the heads of its branches, and its tree without content. No I/O."""

from collections.abc import Collection, Mapping
from datetime import datetime

from content.courses.announcing import course_settings
from content.courses.queries import Listed
from content.dates import print_date
from content.items.reading import Opened
from content.items.serializing import Json, TeamView, print_item
from content.versions.tree import Node, Tree

_MARKETING = ("short_description", "overview", "effort", "video", "title", "subtitle", "description", "duration")
# Below these Studio's outline does not go.
_LEAVES = frozenset({"vertical"})


def print_listed(listed: Listed) -> Json:
    """One line of the list: ids, names and the common dates."""
    said = course_settings(listed.settings)
    return {
        "id": listed.spelling,
        "course_key": listed.spelling,
        "org": listed.course.org,
        "number": listed.course.course,
        "run": listed.course.run,
        "display_name": said.display_name,
        "start": said.start,
        "end": said.end,
        "enrollment_start": said.enrollment_start,
        "enrollment_end": said.enrollment_end,
        "edited_on": print_date(listed.changed_at),
        "url": f"/course/{listed.spelling}",
    }


def print_course(course: Opened, about: Mapping[str, str], *, team: TeamView | None, now: datetime) -> Json:
    """The course; `tree` only for those who may read blocks, what concerns editing only for the team."""
    tree = course.tree
    root = tree.nodes[tree.root or ""]
    said = course_settings(root.settings)
    key = tree.course
    body: Json = {
        "id": tree.spelling,
        "course_key": tree.spelling,
        "dotted_id": key.dotted,
        "org": key.org,
        "number": key.course,
        "run": key.run,
        "branch": tree.branch,
        "url": f"/course/{tree.spelling}",
        "category": root.type,
        "has_children": bool(root.children),
        **said.model_dump(exclude={"enrollment_domain"}),
        "about": {name: about[name] for name in _MARKETING if name in about},
        "edited_on": print_date(tree.edited_on),
    }
    if course.may_read:
        body["version"] = tree.guid
        body["root"] = str(tree.usage(root.block_id))
        body["tree"] = _tree(tree, root, course.visible, set())
    if team is None:
        return body
    body["versions"] = {"draft-branch": course.standing.draft, "published-branch": course.standing.published}
    body["locator"] = f"{tree.course}/branch/{tree.branch}"
    studio = print_item(tree, root, {}, course.visible, team=team, rewrite=False, now=now)
    body |= {name: value for name, value in studio.items() if name not in body and name not in ("data", "fields")}
    body["visibility_state"] = None
    body["child_info"] = child_info(tree, root, course.visible, team, now, set())
    return body


def _tree(tree: Tree, node: Node, visible: Collection[str], seen: set[str]) -> Json:
    """The structure with labels and types, as the design of 2013 has it; a shared block is opened up once."""
    usage = str(tree.usage(node.block_id))
    children = _children(tree, node, visible, seen)
    return {
        "_id": usage,
        "id": usage,
        "display_name": node.display_name,
        "category": node.type,
        "children": [_tree(tree, child, visible, seen) for child in children],
    }


def _children(tree: Tree, node: Node, visible: Collection[str], seen: set[str]) -> list[Node]:
    if node.block_id in seen:
        return []
    seen.add(node.block_id)
    return [tree.nodes[child] for child in node.children if child in visible]


def child_info(tree: Tree, node: Node, visible: Collection[str], team: TeamView, now: datetime, seen: set[str]) -> Json:
    """Studio's outline, which ends at the units."""
    children = _children(tree, node, visible, seen)
    printed = []
    for child in children:
        item = print_item(tree, child, {}, visible, team=team, rewrite=False, now=now)
        for name in ("data", "fields", "metadata", "children"):
            del item[name]
        if child.children and child.type not in _LEAVES:
            item["child_info"] = child_info(tree, child, visible, team, now, seen)
        printed.append(item)
    kinds = {child.type for child in children}
    category = (
        kinds.pop() if len(kinds) == 1 else {"course": "chapter", "chapter": "sequential"}.get(node.type, "vertical")
    )
    return {
        "category": category,
        "display_name": {"chapter": "Section", "sequential": "Subsection", "vertical": "Unit"}.get(category, category),
        "children": printed,
    }
