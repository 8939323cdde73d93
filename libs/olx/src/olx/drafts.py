"""The `drafts` folder: unpublished states of blocks, each tree of them hanging at a place of the published course."""

from typing import Final

from common.keys import CourseKey, InvalidKey, UsageKey
from olx.definitions import BlockReader, Definition
from olx.model import Block, Course, Draft, local_key
from olx.names import block_name
from olx.report import Report
from olx.safe_xml import BrokenXml, Element, line_of, parse_xml

_PARENT_ATTRIBUTES: Final = ("parent_url", "parent_sequential_url")
_LAST: Final = 1 << 30


def read_drafts(course: Course, reader: BlockReader, report: Report) -> None:
    """Read every draft below `drafts/`; only those that differ from the published state are kept."""
    found: list[Draft] = []
    for path in sorted(reader.tree.files):
        if path.startswith("drafts/") and path.endswith(".xml") and b"index_in_children_list" in reader.tree.read(path):
            draft = _read_root(path, course, reader, report)
            if draft is not None:
                found.append(draft)
    for draft in sorted(found, key=lambda draft: (draft.parent or "", draft.index, draft.block.key)):
        if draft.parent is not None and draft.parent not in course.blocks and draft.parent not in reader.blocks:
            message = f"The draft {draft.block.key} belongs into {draft.parent}, which is not in the course"
            report.add("draft_parent_missing", message, file="drafts", action="dropped")
            continue
        _keep(draft, course, reader.blocks)
    _settle_last(course)


def _read_root(path: str, course: Course, reader: BlockReader, report: Report) -> Draft | None:
    parts = path.split("/")
    if len(parts) < 3:
        return None
    reader.used.add(path)
    try:
        element = parse_xml(reader.tree.read(path), reader.limits)
        if "index_in_children_list" not in element.attrib:
            return None
        block_type, name = parts[1], ":".join(parts[2:]).removesuffix(".xml")
        block_id = block_name(name)
        definition = Definition(block_type, block_id, element, path, path)
        key = local_key(block_type, block_id)
        if reader.sources.get(key) != path:
            reader.read_block(definition)
    except BrokenXml as broken:
        report.add("draft_broken", f"{path}: {broken.message}", file=path, line=broken.line, action="dropped")
        return None
    return Draft(reader.blocks[key], _parent_of(element, course), _index_of(element, path, report))


def _parent_of(element: Element, course: Course) -> str | None:
    for attribute in _PARENT_ATTRIBUTES:
        if not (text := element.get(attribute)):
            continue
        try:
            parent = UsageKey.parse(text, CourseKey(course.org, course.number, course.run))
        except InvalidKey:
            return text
        if (parent.type, parent.id) == (course.kind, course.run):
            return course.root
        return parent.local
    return None


def _index_of(element: Element, path: str, report: Report) -> int:
    text = element.get("index_in_children_list", "")
    if text.isdecimal() and len(text) < 7:
        return int(text)
    message = f"The draft {path} has the position {text!r}"
    report.add("draft_bad_index", message, file=path, line=line_of(element))
    return _LAST


def _keep(draft: Draft, course: Course, drafts: dict[str, Block]) -> None:
    """Keep the draft, and the drafts of the blocks below it."""
    block = draft.block
    if block != course.blocks.get(block.key):
        course.drafts.setdefault(block.key, draft)
    for index, child in enumerate(block.children):
        if child in drafts and child not in course.drafts:
            _keep(Draft(drafts[child], block.key, index), course, drafts)


def _settle_last(course: Course) -> None:
    """Give drafts without a readable position the places after all others."""
    for draft in course.drafts.values():
        if draft.index != _LAST:
            continue
        published = course.blocks.get(draft.parent or "")
        taken = [
            other.index for other in course.drafts.values() if other.parent == draft.parent and other.index != _LAST
        ]
        draft.index = max([len(published.children) if published else 0, *(index + 1 for index in taken)])
