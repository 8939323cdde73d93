"""The blocks API's answer from a tree: prune, count, flatten, print. No I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from content.blocks.fields import FIELDS
from content.blocks.parameters import BlocksQuery
from content.versions.tree import Tree

Json = dict[str, object]

_CLOSED = "Access policy"
_CLOSED_MESSAGE = "The team of this course has not opened this part of it to you."
# What upstream leaves on a block that the reader may know of but not see, of the fields on request.
_OF_CLOSED = frozenset({"graded", "student_view_multi_device"})


@dataclass(frozen=True, slots=True)
class Printing:
    """What a block's entry needs beside the tree."""

    base: str
    views: Mapping[str, object]
    """Student view data by block id, for the blocks that have some."""
    closed: Collection[str] = ()
    """Blocks whose existence the reader may know of, and no more."""


def print_blocks(tree: Tree, root: str, visible: Collection[str], asked: BlocksQuery, printing: Printing) -> object:
    """`{"root", "blocks"}` or a list; children come before their parents, the root last.

    Counts are of everything visible below a block, also of what *depth* leaves out.
    """
    below = _visible_children(tree, root, visible, printing.closed)
    counts = _counts(tree, root, below, asked.block_counts) if asked.block_counts else {}
    shown = _prune(root, below, asked.depth) if root in below else {}
    order = _post_order(root, shown)
    descendants = _descendants(root, shown, asked.nav_depth) if asked.nav_depth is not None else {}
    if asked.block_types_filter:
        shown = _keep_types(tree, order, shown, asked.block_types_filter)
        order = [block_id for block_id in order if block_id in shown]
    blocks = []
    for block_id in order:
        block = _print(tree, block_id, asked, printing)
        if "children" in asked.requested_fields and shown[block_id]:
            block["children"] = [str(tree.usage(child)) for child in shown[block_id]]
        if asked.block_counts:
            block["block_counts"] = counts[block_id]
        if block_id in descendants:
            block["descendants"] = [str(tree.usage(child)) for child in descendants[block_id]]
        blocks.append(block)
    if asked.return_type == "list":
        return blocks
    return {"root": str(tree.usage(root)), "blocks": {block["id"]: block for block in blocks}}


def _visible_children(tree: Tree, root: str, visible: Collection[str], closed: Collection[str]) -> dict[str, list[str]]:
    return {
        node.block_id: [child for child in node.children if child in visible or child in closed]
        if node.block_id in visible
        else []
        for node in tree.walk(root)
        if node.block_id in visible or node.block_id in closed
    }


def _post_order(root: str, children: Mapping[str, list[str]]) -> list[str]:
    """Children first; a block with two parents comes once, before both."""
    order: list[str] = []
    done: set[str] = set()
    stack = [(root, False)] if root in children else []
    while stack:
        block_id, left = stack.pop()
        if left:
            order.append(block_id)
        elif block_id not in done:
            done.add(block_id)
            stack.append((block_id, True))
            stack.extend((child, False) for child in reversed(children[block_id]))
    return order


def _counts(
    tree: Tree, root: str, children: Mapping[str, list[str]], types: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """How many blocks of each type there are in each block and below it."""
    counts: dict[str, dict[str, int]] = {}
    is_tree = sum(map(len, children.values())) < len(children)
    for block_id in _post_order(root, children):
        counts[block_id] = own = dict.fromkeys(types, 0)
        if is_tree:
            for child in children[block_id]:
                for name, number in counts[child].items():
                    own[name] += number
        below = [] if is_tree else _flattened(block_id, children)
        for counted in (block_id, *below):
            if tree.nodes[counted].type in own:
                own[tree.nodes[counted].type] += 1
    return counts


def _prune(root: str, children: Mapping[str, list[str]], depth: int | None) -> dict[str, list[str]]:
    """The blocks within *depth* of the root, each with those of its children that are within it too."""
    if depth is None:
        return dict(children)
    level = {root: 0}
    queue = [root]
    for block_id in queue:
        if level[block_id] == depth:
            continue
        for child in children[block_id]:
            if child not in level:
                level[child] = level[block_id] + 1
                queue.append(child)
    return {block_id: [child for child in children[block_id] if child in level and level[block_id] < depth]
            for block_id in level}  # fmt: skip


def _descendants(root: str, children: Mapping[str, list[str]], depth: int) -> dict[str, list[str]]:
    """Above *depth* the children, at it everything below, flattened; below it nothing is said."""
    found: dict[str, list[str]] = {}
    level = {root: 0}
    queue = [root] if root in children else []
    for block_id in queue:
        at = level[block_id]
        if at == depth:
            found[block_id] = _flattened(block_id, children)
        else:
            found[block_id] = list(children[block_id])
            for child in children[block_id]:
                if child not in level:
                    level[child] = at + 1
                    queue.append(child)
    return found


def _flattened(block_id: str, children: Mapping[str, list[str]]) -> list[str]:
    below: dict[str, None] = {}
    stack = list(reversed(children[block_id]))
    while stack:
        child = stack.pop()
        if child not in below:
            below[child] = None
            stack.extend(reversed(children[child]))
    return list(below)


def _keep_types(
    tree: Tree, order: list[str], children: Mapping[str, list[str]], types: Collection[str]
) -> dict[str, list[str]]:
    """Only blocks of these types; what a removed block held moves up to its parent."""
    lifted: dict[str, list[str]] = {}
    for block_id in order:
        below: dict[str, None] = {}
        for child in children[block_id]:
            below |= dict.fromkeys([child] if tree.nodes[child].type in types else lifted[child])
        lifted[block_id] = list(below)
    return {block_id: lifted[block_id] for block_id in order if tree.nodes[block_id].type in types}


def _print(tree: Tree, block_id: str, asked: BlocksQuery, printing: Printing) -> Json:
    node = tree.nodes[block_id]
    usage = str(tree.usage(block_id))
    page = f"{printing.base}/xblock/{usage}"
    block: Json = {
        "id": usage,
        "block_id": node.name,
        "lms_web_url": page,
        "student_view_url": page,
        "type": node.type,
        "display_name": node.display_name,
    }
    is_closed = block_id in printing.closed
    if is_closed:
        block |= {"authorization_denial_reason": _CLOSED, "authorization_denial_message": _CLOSED_MESSAGE}
    for name in asked.requested_fields & (_OF_CLOSED if is_closed else FIELDS.keys()):
        value = FIELDS[name](tree, node)
        if value is not None:
            block[name] = value
    if block_id in printing.views:
        block["student_view_data"] = printing.views[block_id]
    return block
