"""Opening one block: which course, branch and version an address means to this caller, and whether they may."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from common.errors import Unauthorized
from common.identity import Caller
from common.keys import InvalidKey
from common.resources import Resources
from content.access import NotOnTeam, Standing, find_standing, is_team, settle
from content.blocks.errors import ItemNotFound, NotEnrolled
from content.blocks.viewers import caller_as_reader, find_viewer
from content.blocks.visibility import Viewer, Visible, has_started, is_staff_only
from content.courses.queries import Place, find_place
from content.policies.models import admits_block
from content.versions.cache import TreeCache
from content.versions.models import DETACHED, DRAFT, LIBRARY, PUBLISHED
from content.versions.tree import ROOTS, Node, Tree

NOBODY = Viewer()


@dataclass(frozen=True, slots=True)
class Opened:
    """A tree as the caller may see it."""

    place: Place
    standing: Standing
    tree: Tree
    is_team: bool
    visible: Collection[str]
    may_read: bool = True
    viewer: Viewer = NOBODY
    part: str | None = None
    """The block that the tree was opened for alone: it holds that block, those above it and those below."""


async def open_place(
    resources: Resources, trees: TreeCache, caller: Caller, text: str, *, now: datetime, alone: bool = False
) -> Opened:
    """The tree that a locator leads to, for those who may read it: the team what it asks for (its draft unless it
    says otherwise), learners what is published and released.

    *alone*: nothing but the block itself, what is above and what is below it will be looked at; the rest of the tree
    may be missing then.

    Raises `ItemNotFound`, `Unauthorized`, `NotEnrolled`, `NotOnTeam`.
    """
    try:
        place = await find_place(resources.pool, text)
    except InvalidKey as error:
        raise ItemNotFound(text) from error
    if place is None:
        raise ItemNotFound(text)
    standing = await standing_of(resources, trees, caller, place, now=now)
    if standing is None:
        raise ItemNotFound(text)
    team = is_team(caller, standing, place.course)
    part = _part(place) if team and alone else None
    tree = await choose_tree(resources, trees, caller, place, standing, team=team, part=part)
    if part and tree and tree.nodes and tree.root is None:  # a page or an orphan: nothing of the course is above it
        part = None
        tree = await choose_tree(resources, trees, caller, place, standing, team=team)
    if tree is None:
        raise ItemNotFound(text)
    viewer = find_viewer(tree, standing, caller_as_reader(caller, standing), team=team, now=now)
    if viewer is None:
        raise Unauthorized if caller.is_anonymous else NotEnrolled
    return Opened(place, standing, tree, team, Visible(tree, viewer, now), viewer=viewer, part=part)


async def standing_of(
    resources: Resources, trees: TreeCache, caller: Caller, place: Place, *, now: datetime
) -> Standing | None:
    """The caller's standing in a course; for an enrollment that may be on its way here is waited a moment."""

    async def read() -> Standing | None:
        return await find_standing(resources.pool, place.course, caller.user_id)

    standing = await read()
    if standing is None or caller.is_anonymous:
        return standing
    if standing.is_enrolled or is_team(caller, standing, place.course):
        return standing
    tree = await trees.at_head(resources.pool, place.course.canonical, PUBLISHED, standing.published)
    if find_viewer(tree, standing, caller_as_reader(caller, standing), now=now):
        return standing
    return await settle(resources.facts, read, lambda found: found is not None and found.is_enrolled)


async def choose_tree(
    resources: Resources,
    trees: TreeCache,
    caller: Caller,
    place: Place,
    standing: Standing,
    *,
    team: bool,
    part: str | None = None,
) -> Tree | None:
    """Drafts and superseded versions are the team's. Raises `Unauthorized`, `NotOnTeam`."""
    if place.version is not None and place.version != standing.published:
        _require(caller, team)
        return await trees.at_version(resources.pool, place.version, part=part)
    written = LIBRARY if place.course.is_library else DRAFT
    branch = place.branch or (written if team else PUBLISHED)
    if branch != PUBLISHED or place.course.is_library:
        _require(caller, team)
    guid = standing.published if branch == PUBLISHED else standing.draft if branch == written else None
    return await trees.at_head(resources.pool, place.course.canonical, branch, guid, part=part)


def _part(place: Place) -> str | None:
    """The block that an address names, where it can be read without the others: a subsection names those that it could
    wait for."""
    if place.block is None or place.block_type is None or place.block_type in ("sequential", *ROOTS):
        return None
    return f"{place.block_type}@{place.block}"


def _require(caller: Caller, team: bool) -> None:
    if not team:
        raise Unauthorized if caller.is_anonymous else NotOnTeam


def find_node(opened: Opened, text: str, *, now: datetime) -> Node:
    """The block itself. One that the caller may not see is as unknown as one that does not exist.

    Raises `ItemNotFound`.
    """
    tree, place = opened.tree, opened.place
    node: Node | None = None
    if place.block is None:
        node = tree.nodes.get(tree.root or "")
    elif place.block_type is not None:
        node = tree.nodes.get(f"{place.block_type}@{place.block}")
    else:
        named = [found for found in tree.nodes.values() if found.name == place.block]
        node = min(named, key=lambda found: tree.order.get(found.block_id, len(tree.order)), default=None)
    if node is None or not (node.block_id in opened.visible or opened.is_team or _is_readable_page(opened, node, now)):
        raise ItemNotFound(text)
    return node


def _is_readable_page(opened: Opened, node: Node, now: datetime) -> bool:
    """Pages beside the tree: what the course says about itself at any time, its tabs and updates once it has begun."""
    if node.type not in DETACHED or is_staff_only(node) or node.settings.get("course_staff_only") is True:
        return False
    if not admits_block(opened.viewer.policies, node.block_id, opened.viewer.reader, now):
        return False
    root = opened.tree.nodes.get(opened.tree.root or "")
    return node.type == "about" or (root is not None and has_started(root, now) and not is_staff_only(root))
