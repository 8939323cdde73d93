"""What the team of a course is told beside the block itself: what is published of it, and who edited what when."""

from collections.abc import Iterable, Mapping

from common.resources import Resources
from content.items.reading import Opened
from content.items.serializing import Edit, TeamView
from content.versions.cache import TreeCache
from content.versions.models import PUBLISHED
from content.versions.queries import read_definitions, read_edits
from content.versions.tree import Node


async def read_team_view(
    resources: Resources,
    trees: TreeCache,
    opened: Opened,
    nodes: Iterable[Node],
    *,
    contents: Mapping[bytes, dict[str, object]] | None = None,
) -> TeamView:
    """The published state beside what the team reads, who made both, and the course's grader types.

    *contents* holds the root's content where the caller has read it already.
    """
    pool, tree = resources.pool, opened.tree
    published = await trees.at_head(pool, tree.course.canonical, PUBLISHED, opened.standing.published, part=opened.part)
    shown = list(nodes)
    twins = [published.nodes[node.block_id] for node in shown if published and node.block_id in published.nodes]
    wanted = [(tree.guid, node.edited) for node in shown]
    if published:
        wanted += [(published.guid, twin.edited) for twin in twins]
    edits = await read_edits(pool, wanted)
    root = tree.nodes.get(tree.root or "")
    guid = root.definition if root else None
    if contents is None:
        contents = await read_definitions(pool, [guid])
    return TeamView(
        published,
        {place: Edit(*edit) for place, edit in edits.items()},
        _graders(contents.get(guid, {}) if guid else {}),
    )


def _graders(fields: dict[str, object]) -> list[str]:
    """The names in the course's grading policy."""
    policy = fields.get("grading_policy")
    graders = policy.get("GRADER") if isinstance(policy, dict) else None
    names = (grader.get("type") for grader in graders if isinstance(grader, dict)) if isinstance(graders, list) else ()
    return [name for name in names if isinstance(name, str)]
