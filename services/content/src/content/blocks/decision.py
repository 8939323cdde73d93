"""Who may read which blocks: upstream's order of questions, word for word in its answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from common.identity import Caller
from common.keys import CourseKey
from common.resources import Resources
from content.access import Account, Standing, find_account, find_standing, is_team, settle
from content.blocks.errors import (
    AllBlocksAnonymously,
    AllBlocksRefused,
    BlockNotFound,
    BlocksRefused,
    NotPublic,
    OthersAnonymously,
    UnknownUser,
    ViewRefused,
)
from content.blocks.parameters import BadParameters, BlocksQuery
from content.blocks.viewers import account_as_reader, caller_as_reader, find_viewer
from content.blocks.visibility import Viewer
from content.versions.cache import TreeCache
from content.versions.models import PUBLISHED
from content.versions.tree import Tree


@dataclass(frozen=True, slots=True)
class Granted:
    """A published tree, and through whose eyes it is to be read."""

    tree: Tree
    viewer: Viewer
    anonymous: bool = False


async def published_tree(
    resources: Resources, trees: TreeCache, course: CourseKey, standing: Standing | None
) -> Tree | None:
    if standing is None:
        return None
    return await trees.at_head(resources.pool, course.canonical, PUBLISHED, standing.published)


async def decide(
    resources: Resources, trees: TreeCache, caller: Caller, course: CourseKey, asked: BlocksQuery, root: object
) -> Granted:
    """The tree and the view that the caller gets, or the refusal that upstream would give first.

    Only an enrollment can still be on its way here: for that alone is waited a moment before the refusal.
    """
    now = datetime.now(UTC)
    if asked.username is None and not asked.all_blocks:
        raise BadParameters({"username": "This field is required unless all_blocks is requested.", **asked.errors})
    if caller.is_anonymous:
        return await _anonymous(resources, trees, course, asked, root, now)

    async def read() -> Standing | None:
        return await find_standing(resources.pool, course, caller.user_id)

    standing = await read()
    tree = await published_tree(resources, trees, course, standing)
    team = is_team(caller, standing, course)
    if asked.all_blocks:
        if not team:
            raise AllBlocksRefused(caller.username, standing.spelling if standing else str(course))
        return _granted(tree, Viewer(sees_all=True), root)
    if asked.username is not None and asked.username.lower() == (caller.username or "").lower():
        return await _own(resources, caller, tree, standing, root, read=read, team=team, now=now)
    if asked.username == "" and (viewer := find_viewer(tree, standing, now=now)):
        return _granted(tree, viewer, root, anonymous=True)
    if not team:
        raise ViewRefused(caller.username, asked.username or "")
    if asked.username == "":
        return _granted(tree, Viewer(policies=standing.policies if standing else {}), root)
    return _granted(tree, await _view_of(resources, course, asked.username or ""), root)


async def _own(
    resources: Resources,
    caller: Caller,
    tree: Tree | None,
    standing: Standing | None,
    root: object,
    *,
    read: Callable[[], Awaitable[Standing | None]],
    team: bool,
    now: datetime,
) -> Granted:
    """The caller's own view. Raises `BlocksRefused`."""
    viewer = find_viewer(tree, standing, caller_as_reader(caller, standing), team=team, now=now)
    if viewer is None and standing is not None and not standing.is_enrolled:
        standing = await settle(resources.facts, read, lambda found: found is not None and found.is_enrolled)
        viewer = find_viewer(tree, standing, caller_as_reader(caller, standing), team=team, now=now)
    if viewer is None:
        raise BlocksRefused(caller.username)
    return _granted(tree, viewer, root)


def _granted(tree: Tree | None, viewer: Viewer, root: object, *, anonymous: bool = False) -> Granted:
    if tree is None:
        raise BlockNotFound(root)
    return Granted(tree, viewer, anonymous)


async def _anonymous(
    resources: Resources, trees: TreeCache, course: CourseKey, asked: BlocksQuery, root: object, now: datetime
) -> Granted:
    if asked.all_blocks:
        raise AllBlocksAnonymously(str(course))
    if asked.username != "":
        raise OthersAnonymously
    # whether a course is public is this service's own fact: there is nothing to wait for
    standing = await find_standing(resources.pool, course, None)
    tree = await published_tree(resources, trees, course, standing)
    viewer = find_viewer(tree, standing, now=now)
    if viewer is None:
        raise NotPublic(tree.spelling if tree else str(course))
    return _granted(tree, viewer, root, anonymous=True)


async def _view_of(resources: Resources, course: CourseKey, username: str) -> Viewer:
    """The view of somebody else. Raises `UnknownUser`."""
    account = await resources.facts.eventually(lambda: find_account(resources.pool, username))
    if account is None:
        raise UnknownUser(username)
    standing = await find_standing(resources.pool, course, account.user_id)
    return Viewer(
        sees_all=_sees_all(account, standing),
        mode=standing.mode if standing else None,
        reader=account_as_reader(account, standing),
        policies=standing.policies if standing else {},
    )


def _sees_all(account: Account, standing: Standing | None) -> bool:
    return account.is_staff or (account.is_active and standing is not None and standing.role is not None)
