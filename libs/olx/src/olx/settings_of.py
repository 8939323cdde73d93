"""From an element's attributes to a block's settings."""

from olx.model import Block
from olx.report import Report
from olx.safe_xml import Element, line_of
from olx.tags import (
    FIELDS_ATTRIBUTE,
    KEPT_AS_WRITTEN,
    NEVER_SETTINGS,
    SAID_ELSEWHERE,
    SETTINGS_ATTRIBUTE,
    is_known,
)
from olx.values import decode, load_json

_DRAFT_ATTRIBUTES = frozenset({"parent_url", "parent_sequential_url", "index_in_children_list"})


def read_settings(block: Block, element: Element, file: str, report: Report, *, is_draft: bool) -> None:
    """Add what this element sets; a later call (for an element that overrides) wins."""
    held: list[str] = []
    for name, text in element.attrib.items():
        if not isinstance(name, str) or not isinstance(text, str):
            continue
        if name.startswith("{") or name in KEPT_AS_WRITTEN:
            block.xml_attributes[name] = text
        elif name in (FIELDS_ATTRIBUTE, SETTINGS_ATTRIBUTE):
            held.append(name)
        elif name in NEVER_SETTINGS:
            if not is_known(block.type) and name != "url_name":
                block.xml_attributes[name] = text
            elif name not in SAID_ELSEWHERE:
                message = f"{block.key} has the attribute {name}, which is not read as a setting"
                report.add("attribute_ignored", message, file=file, line=line_of(element), action="ignored")
        elif is_draft and name in _DRAFT_ATTRIBUTES:
            continue
        elif name == "name" and "display_name" not in element.attrib and is_known(block.type):
            block.settings["display_name"] = decode("display_name", text)
        else:
            block.settings[name] = decode(name, text)
    for name in held:
        values = load_json(element.get(name, ""))
        if isinstance(values, dict):
            (block.fields if name == FIELDS_ATTRIBUTE else block.settings).update(values)


def read_meta(block: Block, meta: Element) -> bool:
    """Old courses keep further settings of a block as JSON in a <meta> child; False when it holds none."""
    values = load_json(meta.text) if meta.text else None
    if not isinstance(values, dict):
        return False
    block.settings.update(values)
    return True
