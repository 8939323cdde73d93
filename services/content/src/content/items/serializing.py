"""One block as JSON: the design of 2013 (`id`, `data`, `metadata`) and Studio's fields beside it. No I/O."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from content.blocks.visibility import has_started, is_staff_only
from content.dates import NO_START, normal_date, parse_date, print_date
from content.items.studio_fields import studio_fields
from content.rendering.links import Links, open_static
from content.versions.models import DIRECT_ONLY
from content.versions.tree import ROOTS, Node, Tree

Json = dict[str, object]

# A learner's JSON is made of what is listed here: an unlisted setting, or the content of an unlisted type, may hold
# answers (a problem's markdown does) or the course's secrets (passports of external tools on the root).
_LEARNER_SETTINGS = frozenset(
    {"display_name", "start", "due", "graded", "format", "weight", "max_attempts", "show_correctness",
     "hide_from_toc", "self_paced", "advertised_start", "end", "language", "course_image"}
)  # fmt: skip
_LEARNER_VIDEO = frozenset(
    {"youtube_id_1_0", "youtube", "html5_sources", "source", "sub", "transcripts", "track", "handout", "edx_video_id",
     "download_track", "download_video", "start_time", "end_time", "show_captions", "only_on_web"}
)  # fmt: skip
_LEARNER_CONTENT = frozenset({"html", "video", "about", "static_tab", "course_info"})


@dataclass(frozen=True, slots=True)
class Edit:
    """When a block took its present form, and by whom."""

    edited_on: datetime
    editor: str | None


@dataclass(frozen=True, slots=True)
class TeamView:
    """What only the team is told: the state of publication."""

    published: Tree | None
    edits: Mapping[tuple[str, int], Edit]
    """By a version of the branch and the number in it of the version that made the edit."""
    graders: Sequence[str] = ()
    """Names of the course's grader types."""
    states: dict[str, str] = field(default_factory=dict)
    """Visibility of the blocks worked out so far: a container's is made from its children's."""


def print_item(
    tree: Tree,
    node: Node,
    fields: Json,
    visible: Collection[str],
    *,
    team: TeamView | None,
    rewrite: bool,
    now: datetime,
) -> Json:
    """The block; for a learner (no *team*) without what is the team's only."""
    start = parse_date(node.setting("start")) or NO_START
    # of a block with two parents, the one it belongs to may be gone, and the block with it
    children = [child for child in node.children if child in tree.nodes]
    item: Json = {
        "id": str(tree.usage(node.block_id)),
        "display_name": node.display_name,
        "category": node.type,
        "has_children": bool(children),
        "start": normal_date(node.setting("start")) or print_date(NO_START),
        "graded": _truth(node.setting("graded", False)),
        "due": normal_date(node.setting("due")),
        "due_date": _show(parse_date(node.setting("due"))),
        "format": node.settings.get("format"),
        "released_to_students": has_started(node, now),
        "release_date": None if start == NO_START else _show(start),
        "children": [str(tree.usage(child)) for child in children if child in visible or team],
    }
    is_team = team is not None
    item |= _content(node, fields, _rewriting(tree, is_team=is_team) if rewrite else None, is_team=is_team)
    return item if team is None else item | _team_fields(tree, node, team, now)


def print_subtree(
    tree: Tree,
    node: Node,
    contents: Mapping[bytes, Json],
    visible: Collection[str],
    *,
    is_team: bool,
    rewrite: bool,
) -> Json:
    """A block and all below it with their content; one that is in two places is opened up in the first."""
    rewriting = _rewriting(tree, is_team=is_team) if rewrite else None
    met: set[str] = set()

    def print_node(here: Node) -> Json:
        usage = str(tree.usage(here.block_id))
        below = [] if here.block_id in met else [tree.nodes[child] for child in here.children if child in tree.nodes]
        met.add(here.block_id)
        fields = contents.get(here.definition, {}) if here.definition else {}
        return {
            "_id": usage,
            "id": usage,
            "display_name": here.display_name,
            "category": here.type,
            **_content(here, fields, rewriting, is_team=is_team),
            "children": [print_node(child) for child in below if child.block_id in visible or is_team],
        }

    return print_node(node)


def _rewriting(tree: Tree, *, is_team: bool) -> Callable[[str], str]:
    """Learners get links that work anywhere. The team gets those to files, which go back to what they were when the
    text is sent again; links to blocks by their names could not."""
    return partial(open_static, course=tree.course) if is_team else Links(tree).rewrite


def _content(node: Node, fields: Json, rewriting: Callable[[str], str] | None, *, is_team: bool) -> Json:
    """What is written in a block: for a learner what is listed as theirs."""
    data = fields.get("data", "")  # upstream says as much of a block that has none
    if rewriting is not None and isinstance(data, str):
        data = rewriting(data)
    if is_team:
        return {"data": data, "metadata": node.settings, "fields": fields}
    allowed = _LEARNER_SETTINGS | (_LEARNER_VIDEO if node.type == "video" else frozenset())
    said: Json = {"metadata": {name: value for name, value in node.settings.items() if name in allowed}}
    return said | {"data": data} if node.type in _LEARNER_CONTENT else said


def _team_fields(tree: Tree, node: Node, team: TeamView, now: datetime) -> Json:
    twin = team.published.nodes.get(node.block_id) if team.published else None
    edit = team.edits.get((tree.guid, node.edited))
    published_on = team.edits.get((team.published.guid, twin.edited)) if team.published and twin else None
    usage = str(tree.usage(node.block_id))
    return {
        "locator": f"{tree.course}/branch/{tree.branch}/block/{node.name}",
        "branch": tree.branch,
        "version": tree.guid,
        "definition": f"def-v1:{node.definition.hex()}+type@{node.type}" if node.definition else None,
        "edited_on": _show(edit.edited_on) if edit else None,
        "edited_by": edit.editor if edit else None,
        "published": twin is not None,
        "published_on": _show(published_on.edited_on) if published_on else None,
        "published_by": published_on.editor if published_on else None,
        "studio_url": f"/xblock/{usage}",
        "lms_url": f"/xblock/{tree.usage(node.block_id).on_branch('published')}",
        "has_changes": has_changes(tree, team.published, node.block_id) if is_unit(tree, node) else None,
        "visibility_state": visibility_state(tree, team, node, now),
        "has_explicit_staff_lock": "visible_to_staff_only" in node.settings,
        "ancestor_has_staff_lock": has_locked_parent(tree, node),
        "group_access": node.setting("group_access", {}),
        "user_partitions": node.setting("user_partitions", []),
        "show_correctness": node.setting("show_correctness", "always"),
        "hide_from_toc": _truth(node.setting("hide_from_toc", False)),
        "xml_attributes": (node.extra or {}).get("xml_attributes", {}),
        "actions": {
            "deletable": node.type not in ROOTS,
            "draggable": node.type not in ROOTS,
            "childAddable": node.type in DIRECT_ONLY or bool(node.children) or node.type == "vertical",
            "duplicable": node.type not in ROOTS,
        },
        **studio_fields(tree, node, team.graders, is_unit=is_unit(tree, node)),
    }


def has_locked_parent(tree: Tree, node: Node) -> bool:
    """Is the block for staff only because something above it is?"""
    parent = tree.nodes.get(node.parent or "")
    return parent is not None and is_staff_only(node) and is_staff_only(parent)


def is_unit(tree: Tree, node: Node) -> bool:
    """What is published as a whole: a block with a draft state whose parent has none."""
    parent = tree.nodes.get(node.parent or "")
    return node.type not in DIRECT_ONLY and parent is not None and parent.type in DIRECT_ONLY


def has_changes(draft: Tree, published: Tree | None, block_id: str) -> bool:
    """Does anything from this block down differ from what is published?"""
    return any(_differs(node, published) for node in draft.walk(block_id))


def _differs(node: Node, published: Tree | None) -> bool:
    twin = published.nodes.get(node.block_id) if published else None
    return twin is None or not node.says_the_same(twin)


def visibility_state(tree: Tree, team: TeamView, node: Node, now: datetime) -> str | None:
    """Studio's word for how far a block is from the learners; null for the course."""
    if node.type == "course":
        return None
    if node.block_id not in team.states:
        team.states[node.block_id] = _state(tree, team, node, now)
    return team.states[node.block_id]


def _state(tree: Tree, team: TeamView, node: Node, now: datetime) -> str:
    if is_staff_only(node):
        return "staff_only"
    if _truth(node.setting("hide_from_toc", False)):
        return "hide_from_toc"
    if is_unit(tree, node) and has_changes(tree, team.published, node.block_id):
        return "needs_attention"
    start = parse_date(node.setting("start")) or NO_START
    unscheduled = start == NO_START
    live = _truth(node.setting("self_paced", False)) or start < now
    below = set()
    if not is_unit(tree, node):
        below = {visibility_state(tree, team, tree.nodes[child], now) for child in node.children if child in tree.nodes}
    if "needs_attention" in below:
        return "needs_attention"
    if below:
        state = _of_children(below - {"staff_only"}, live=live, unscheduled=unscheduled)
        return "gated" if state == "live" and _is_gated(node) else state
    if live and _is_gated(node):
        return "gated"
    return "live" if live else "unscheduled" if unscheduled else "ready"


def _is_gated(node: Node) -> bool:
    """Opens to learners when they have passed another subsection."""
    return node.type == "sequential" and bool(node.settings.get("prereq"))


def _of_children(states: set[str | None], *, live: bool, unscheduled: bool) -> str:
    if not states:
        return "staff_only"
    if states == {"unscheduled"}:
        return "unscheduled" if unscheduled else "needs_attention"
    if states == {"live"}:
        return "live" if live else "needs_attention"
    return "needs_attention" if unscheduled else "ready"


def _truth(value: object) -> bool:
    return value in (True, "true", "True")


def _show(moment: datetime | None) -> str | None:
    """`Jun 01, 2013 at 10:30 UTC`"""
    return moment.astimezone(UTC).strftime("%b %d, %Y at %H:%M UTC") if moment else None
