"""Changing a block: Studio's ten steps, in their order, in one version."""

from pydantic import JsonValue

from common.keys import CourseKey, InvalidKey
from content.authoring.errors import ConcurrentAuthors, InvalidData
from content.authoring.operations.placing import check_depth, levels_of, settle
from content.authoring.operations.tabs import STATIC_TAB, name_tab
from content.authoring.schemas import BlockIn
from content.authoring.settings import CONTENT, check_name, is_before_1900, parse_setting
from content.authoring.targets import read_usage
from content.rendering.links import close_static
from content.versions.branches import Block
from content.versions.editing import Edit
from content.versions.models import LIBRARY
from content.versions.publishing import discard, is_direct, publish, unlist

DISCARD = "discard_changes"
NOT_GRADED = "notgraded"


async def update_block(edit: Edit, block_id: str, change: BlockIn) -> Block:
    """The block as the draft has it from now on.

    Raises `InvalidData`, `ConcurrentAuthors`, `BlockUnknown`, and what publishing raises.
    """
    block = await edit.draft.get(block_id)
    if change.publish == DISCARD:
        await discard(edit, block_id)
        return await edit.draft.get(block_id)
    draft = _Draft(edit.course, block, await edit.fields_of(block))
    if change.data:
        draft.assign("data", change.data)
    for name, value in (change.fields or {}).items():
        draft.assign_raw(name, value)
    touched: list[str] = []
    if change.children is not None:
        draft.children, touched = await _adopt(edit, block, change.children)
    for name in change.nullout or []:
        draft.assign_raw(name, None)
    for name, value in (change.metadata or {}).items():
        draft.merge(name, value)
    if is_before_1900(draft.settings.get("due")):
        draft.settings["due"] = None
    _grade(draft, change)
    _require(draft, block, change)
    changed = block.changed(
        definition=edit.define(block.type, draft.fields) if draft.fields_touched else block.definition,
        settings=draft.settings,
        children=draft.children,
    )
    edit.draft.put(changed)
    if changed.type == STATIC_TAB:
        await name_tab(edit, changed)
    await settle(edit, [*touched, block_id, *(child for child in draft.children if child not in block.children)])
    await _publish(edit, changed, change)
    return await edit.draft.get(block_id)


class _Draft:
    """The fields of a block while they are being changed."""

    def __init__(self, course: CourseKey, block: Block, fields: dict[str, object]) -> None:
        self._course = course
        self.fields, self.settings = dict(fields), dict(block.settings)
        self.children = block.children
        self.fields_touched = False

    def assign(self, name: str, value: JsonValue) -> None:
        """Content goes where content is, every other field among the settings."""
        if name in CONTENT or name in self.fields:
            if name == "data" and isinstance(value, str):
                stored = self.fields.get("data")
                value = close_static(value, self._course, stored if isinstance(stored, str) else "")
            self.fields[name] = value
            self.fields_touched = True
        else:
            self.settings[name] = value

    def assign_raw(self, name: str, value: JsonValue) -> None:
        if name in ("children", "parent"):
            raise InvalidData(f"{name} is not a field of its own")
        try:
            check_name(name)
        except ValueError as error:
            raise InvalidData(str(error)) from error
        self.assign(name, value)

    def merge(self, name: str, value: JsonValue) -> None:
        """Null takes the explicit value away: the inherited or default one holds again."""
        if value is None:
            self.settings.pop(name, None)
            if name in self.fields:
                del self.fields[name]
                self.fields_touched = True
            return
        try:
            parsed = parse_setting(name, value)
        except ValueError as error:
            raise InvalidData(str(error)) from error
        self.assign_raw(name, parsed)


def _grade(draft: _Draft, change: BlockIn) -> None:
    """A grader type makes the block graded under that name; `notgraded` clears both."""
    if change.grader_type is None:
        return
    if change.grader_type == NOT_GRADED:
        draft.settings.pop("graded", None)
        draft.settings.pop("format", None)
    else:
        draft.merge("format", change.grader_type)
        draft.settings["graded"] = True


def _require(draft: _Draft, block: Block, change: BlockIn) -> None:
    """Prerequisites between subsections are kept as plain fields."""
    given: dict[str, JsonValue] = {
        "is_prereq": change.is_prereq,
        "prereq": change.prereq_usage_key,
        "prereq_min_score": change.prereq_min_score,
        "prereq_min_completion": change.prereq_min_completion,
    }
    if block.type != "sequential":
        return
    for name, value in given.items():
        if value is None:
            continue
        draft.merge(name, None if value == "" else value)
        number = draft.settings.get(name)
        if isinstance(number, int) and not isinstance(number, bool) and not 0 <= number <= 100:
            raise InvalidData(f"{name} is not between 0 and 100")


async def _adopt(edit: Edit, block: Block, keys: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The new children, taken from their old parents; and what else that changed.

    Raises `ConcurrentAuthors` for a child without a parent or one that would lose its only one, `InvalidData`.
    """
    children = _read_children(edit, keys)
    found = await edit.draft.find_many([*children, *block.children])
    touched: list[str] = []
    line = {block.block_id, *(above.block_id for above in await edit.draft.ancestors(block.block_id))}
    for child in children:
        if child in block.children:
            continue
        parent = found[child].parent if child in found else None
        holder = await edit.draft.find(parent) if parent is not None else None
        if parent is None or holder is None or child not in holder.children:
            raise ConcurrentAuthors
        if child in line:
            raise InvalidData(f"{child} would be below itself")
        await check_depth(edit, block.block_id, levels_of(await edit.draft.subtree(child), child))
        await unlist(edit, parent, child)
        edit.draft.put(found[child].changed(parent=block.block_id))
        touched.append(parent)
    for child in set(block.children) - set(children):
        if child in found and found[child].parent == block.block_id:
            raise ConcurrentAuthors
    return children, touched


def _read_children(edit: Edit, keys: list[str]) -> tuple[str, ...]:
    children = []
    for key in keys:
        try:
            child = read_usage(key, edit.course)
        except InvalidKey as error:
            raise InvalidData(str(error)) from error
        if child is None:
            raise ConcurrentAuthors
        children.append(child)
    if len(set(children)) < len(children):
        raise InvalidData("a child is listed twice")
    return tuple(children)


async def _publish(edit: Edit, block: Block, change: BlockIn) -> None:
    if change.publish is None or edit.published is None or block.type == LIBRARY:
        return
    if change.publish == "republish" and (is_direct(block.type) or await edit.published.find(block.block_id) is None):
        return
    await publish(edit, block.block_id)
