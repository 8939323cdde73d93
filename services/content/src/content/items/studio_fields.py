"""What Studio's forms ask about a block: graders, groups, exams, prerequisites, highlights. No I/O."""

from collections.abc import Sequence
from typing import Final

from content.blocks.fields import FIELDS
from content.versions.tree import Node, Tree

Json = dict[str, object]

_SEQUENTIAL: Final[Json] = {
    "hide_after_due": False,
    "is_time_limited": False,
    "default_time_limit_minutes": None,
    "is_proctored_enabled": False,
    "is_practice_exam": False,
    "is_onboarding_exam": False,
    "exam_review_rules": "",
    "is_prereq": False,
    "prereq": None,
    "prereq_min_score": None,
    "prereq_min_completion": None,
}


def studio_fields(tree: Tree, node: Node, graders: Sequence[str], *, is_unit: bool) -> Json:
    """The fields for the course team that every block has, and those of its category."""
    said: Json = {
        "xblock_type": FIELDS["icon_class"](tree, node),
        "embed_lms_url": f"/xblock/{tree.usage(node.block_id).on_branch('published')}",
        "relative_weeks_due": node.setting("relative_weeks_due"),
        "course_graders": list(graders),
        # upstream says here what an entrance exam demands of learners; none keeps anything closed here
        "explanatory_message": None,
        "user_partition_info": _partitions(node),
    }
    if is_unit:
        said["discussion_enabled"] = node.settings.get("discussion_enabled", True)
    if node.type in ("course", "chapter"):
        said["highlights"] = node.settings.get("highlights", [])
        said["highlights_enabled"] = True
        root = tree.nodes.get(tree.root or "")
        said["highlights_enabled_for_messaging"] = bool(
            root and root.settings.get("highlights_enabled_for_messaging", False)
        )
    if node.type == "sequential":
        said |= {name: node.settings.get(name, default) for name, default in _SEQUENTIAL.items()}
        said["is_proctored_exam"] = said["is_proctored_enabled"]
        said["prereqs"] = _prerequisites(tree, node)
    return said


def _partitions(node: Node) -> Json:
    """The groups that the block can be for, with those chosen marked."""
    partitions = node.setting("user_partitions")
    chosen = node.settings.get("group_access")
    access = chosen if isinstance(chosen, dict) else {}
    selectable: list[Json] = []
    selected, labels = -1, ""
    for partition in partitions if isinstance(partitions, list) else []:
        if not isinstance(partition, dict):
            continue
        allowed = access.get(str(partition.get("id")))
        allowed = allowed if isinstance(allowed, list) else []
        groups = partition.get("groups")
        printed = [
            {"id": group.get("id"), "name": group.get("name"), "selected": group.get("id") in allowed, "deleted": False}
            for group in (groups if isinstance(groups, list) else [])
            if isinstance(group, dict)
        ]
        if allowed and selected < 0:
            selected = len(selectable)
            labels = ", ".join(str(group["name"]) for group in printed if group["selected"])
        selectable.append({name: partition.get(name) for name in ("id", "name", "scheme")} | {"groups": printed})
    return {
        "selectable_partitions": selectable,
        "selected_partition_index": selected,
        "selected_groups_label": labels,
    }


def _prerequisites(tree: Tree, node: Node) -> list[Json]:
    """The subsections that this one could wait for."""
    return [
        {"block_usage_key": str(tree.usage(other.block_id)), "block_display_name": other.display_name}
        for other in tree.nodes.values()
        if other.type == "sequential" and other is not node and other.settings.get("is_prereq") is True
    ]
