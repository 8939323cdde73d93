"""Through whose eyes a tree is read, or that it is not for these eyes at all. No I/O."""

from datetime import datetime

from common.identity import Caller
from content.access import Account, Standing
from content.blocks.visibility import Viewer
from content.policies.models import BLOCKS, Reader, admits
from content.versions.tree import Tree

_NOBODY = Reader()


def is_public(tree: Tree | None) -> bool:
    root = tree.nodes.get(tree.root) if tree and tree.root else None
    return root is not None and root.settings.get("course_visibility") == "public"


def caller_as_reader(caller: Caller, standing: Standing | None) -> Reader:
    return Reader(
        username=caller.username,
        email=caller.email,
        is_enrolled=standing is not None and standing.is_enrolled,
        has_unlocked=standing is not None and standing.has_unlocked,
        application=caller.application,
    )


def account_as_reader(account: Account, standing: Standing | None) -> Reader:
    """Somebody else, whose application nobody knows."""
    return Reader(
        username=account.username,
        email=account.email,
        is_enrolled=standing is not None and standing.is_enrolled,
        has_unlocked=standing is not None and standing.has_unlocked,
    )


def find_viewer(
    tree: Tree | None, standing: Standing | None, reader: Reader = _NOBODY, *, team: bool = False, now: datetime
) -> Viewer | None:
    """How this reader sees the tree; None when its blocks are not open to them.

    By default they are open to learners, and to everybody when the course says that it is public; a policy of the
    course for its blocks stands in place of both.
    """
    if team:
        return Viewer(sees_all=True)
    if standing is None or tree is None:
        return None
    policy = standing.policies.get(BLOCKS)
    is_open = admits(policy, reader, now, scope=BLOCKS) if policy else reader.is_enrolled or is_public(tree)
    if not is_open:
        return None
    return Viewer(mode=standing.mode if reader.is_enrolled else None, reader=reader, policies=standing.policies)
