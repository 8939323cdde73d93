"""What the blocks API can say of one block. No I/O."""

from collections.abc import Callable, Mapping

from content.blocks.visibility import is_staff_only_merged
from content.dates import normal_date
from content.versions.tree import Node, Tree

# Types whose student view works on a phone.
_MULTI_DEVICE = frozenset(
    {"html", "video", "problem", "vertical", "discussion", "word_cloud", "poll", "survey", "drag-and-drop-v2"}
)
_SCORED = frozenset(
    {"problem", "lti", "lti_consumer", "drag-and-drop-v2", "openassessment", "edx_sga", "staffgradedxblock", "scorm"}
)
_ICONS = {"problem": "problem", "video": "video"}
Field = Callable[[Tree, Node], object]


def _date(name: str) -> Field:
    return lambda _, node: normal_date(node.setting(name))


def _setting(name: str, default: object = None) -> Field:
    return lambda _, node: node.setting(name, default)


def _own(name: str) -> Field:
    return lambda _, node: node.settings.get(name)


def _graded(_: Tree, node: Node) -> object:
    return _truth(node.setting("graded", False))


def _truth(value: object) -> bool:
    return value in (True, "true", "True", "1", 1)


def _weight(_: Tree, node: Node) -> object:
    value = node.settings.get("weight")
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value


def _icon(tree: Tree, node: Node) -> object:
    """A container wears the icon of the most demanding thing inside."""
    types = {below.type for below in tree.walk(node.block_id)}
    return next((icon for kind, icon in _ICONS.items() if kind in types), "other")


FIELDS: Mapping[str, Field] = {
    "graded": _graded,
    "format": _own("format"),
    "start": _date("start"),
    "due": _date("due"),
    "has_score": lambda _, node: node.type in _SCORED,
    "weight": _weight,
    "show_correctness": _setting("show_correctness", "always"),
    "student_view_multi_device": lambda _, node: node.type in _MULTI_DEVICE,
    "visible_to_staff_only": is_staff_only_merged,
    "hide_from_toc": lambda _, node: _truth(node.setting("hide_from_toc", False)),
    "icon_class": _icon,
}
