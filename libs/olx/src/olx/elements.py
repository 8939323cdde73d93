"""From blocks to elements: the reverse of `definitions`, so that reading gives the same block again."""

import re
from dataclasses import dataclass
from typing import Final

from olx.errors import UnwritableBlock
from olx.limits import Limits
from olx.model import Block
from olx.safe_xml import BrokenXml, Element, child_elements, inner_xml, is_blank, parse_xml
from olx.tags import (
    FIELDS_ATTRIBUTE,
    FOLDERS,
    KEPT_AS_WRITTEN,
    LEAVES,
    NEVER_SETTINGS,
    SETTINGS_ATTRIBUTE,
    STRUCTURAL,
    is_known,
)
from olx.values import Json, ascii_json, decode, encode, fits_attribute, is_xml_text

_START: Final = "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u3001-\ud7ff"
_NAME: Final = re.compile(rf"[{_START}][{_START}0-9.\-]*")
_TYPE: Final = re.compile(rf"(?!xml)[{_START}][{_START}0-9.\-]*")
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_XML_NAMESPACE: Final = "http://www.w3.org/XML/1998/namespace"
_LIMITS: Final = Limits()
_MOST_ATTRIBUTES: Final = _LIMITS.attributes // 2
_DRAFT_ATTRIBUTES: Final = frozenset({"parent_url", "parent_sequential_url", "index_in_children_list"})


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one block: its definition, and for html its text."""

    definition: str
    text: str | None = None


def write_block(
    block: Block, *, place: list[tuple[str, str]] | None = None, only: frozenset[str] | None = None
) -> Written:
    """Write a block as the element of a definition file.

    `place` are attributes a draft's root carries; `only` names the settings that may be attributes (for the root of a
    course, whose other settings are in the policy file).
    """
    check_type(block)
    settings = {name: value for name, value in block.settings.items() if only is None or name in only}
    fields = dict(block.fields)
    attributes: list[tuple[str, str]] = []
    text: str | None = None
    if block.type == "html":
        text = _take_text(fields)
        attributes.append(("filename", block.id.rpartition(":")[2]))
        lines, inner = [], ""
    elif block.type in STRUCTURAL or block.children:
        lines, inner = _child_lines(block, settings), ""
    else:
        lines, inner = [], _take_inner(block, fields, settings)
    attributes += place or []
    attributes += _setting_attributes(block, settings)
    attributes += _kept_attributes(block)
    if fields:
        attributes.append((FIELDS_ATTRIBUTE, ascii_json(fields)))
    opening = block.type + "".join(f' {name}="{value.translate(_ESCAPES)}"' for name, value in attributes)
    if lines:
        body = "".join(f"  {line}\n" for line in lines)
        return Written(f"<{opening}>\n{body}</{block.type}>\n", text)
    return Written(f"<{opening}>{inner}</{block.type}>\n" if inner else f"<{opening}/>\n", text)


def pointer(block_type: str, block_id: str) -> str:
    return f'<{block_type} url_name="{block_id.translate(_ESCAPES)}"/>'


def check_type(block: Block) -> None:
    if not _TYPE.fullmatch(block.type) or block.type in FOLDERS:
        raise UnwritableBlock(block.key, f"no element can be called {block.type!r}")


def _setting_attributes(block: Block, settings: dict[str, Json]) -> list[tuple[str, str]]:
    plain: list[tuple[str, str]] = []
    held: dict[str, Json] = {}
    for name in sorted(settings):
        if len(plain) < _MOST_ATTRIBUTES and _can_be_attribute(name, block, settings):
            plain.append((name, encode(name, settings[name])))
        else:
            held[name] = settings[name]
    if held:
        plain.append((SETTINGS_ATTRIBUTE, ascii_json(held)))
    return plain


def _can_be_attribute(name: str, block: Block, settings: dict[str, Json]) -> bool:
    if not _NAME.fullmatch(name) or name.startswith("xmlns"):
        return False
    if name in NEVER_SETTINGS or name in KEPT_AS_WRITTEN or name in _DRAFT_ATTRIBUTES:
        return False
    if name in (FIELDS_ATTRIBUTE, SETTINGS_ATTRIBUTE) or (block.type == "library" and name == "library"):
        return False
    # Where no display_name stands beside it, the old attribute `name` would be read as one.
    is_shown = "display_name" in settings and fits_attribute("display_name", settings["display_name"])
    if name == "name" and not is_shown and is_known(block.type):
        return False
    return fits_attribute(name, settings[name])


def _kept_attributes(block: Block) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    spaces: list[str] = []
    for name in sorted(block.xml_attributes):
        value = "".join(letter for letter in block.xml_attributes[name] if is_xml_text(letter))
        if not name.startswith("{"):
            kept.append((name, value))
            continue
        space, _, plain = name[1:].partition("}")
        if space == _XML_NAMESPACE:
            kept.append((f"xml:{plain}", value))
            continue
        if space not in spaces:
            spaces.append(space)
        kept.append((f"ns{spaces.index(space)}:{plain}", value))
    return kept + [(f"xmlns:ns{index}", space) for index, space in enumerate(spaces)]


def _child_lines(block: Block, settings: dict[str, Json]) -> list[str]:
    lines = []
    for child in block.children:
        child_type, _, child_id = child.partition("@")
        lines.append(pointer(child_type, child_id))
    shown = settings.get("show_tag_list")
    if block.type == "conditional" and isinstance(shown, list) and shown and all(map(_is_plain_key, shown)):
        del settings["show_tag_list"]
        lines.append(f'<show sources="{";".join(str(key) for key in shown).translate(_ESCAPES)}"/>')
    return lines


def _is_plain_key(value: Json) -> bool:
    return isinstance(value, str) and bool(value) and not re.search(r"[;\s]", value) and is_xml_text(value)


def _take_text(fields: dict[str, Json]) -> str:
    """The text of an html block; one that cannot be a text file stays among the fields."""
    data = fields.get("data")
    if not isinstance(data, str) or "\0" in data:
        return ""
    del fields["data"]
    return data


def _take_inner(block: Block, fields: dict[str, Json], settings: dict[str, Json]) -> str:
    """The body of a block that keeps its content as XML; content that is none stays among the fields."""
    data = fields.get("data")
    if not isinstance(data, str):
        return ""
    try:
        if block.type == "problem":
            element = parse_xml(data.encode(), _LIMITS)
            if element.tag != "problem":
                return ""
            for name, value in element.attrib.items():
                if isinstance(name, str) and isinstance(value, str) and name not in NEVER_SETTINGS:
                    settings.setdefault(name, decode(name, value))
        else:
            element = parse_xml(f"<{block.type}>{data}</{block.type}>".encode(), _LIMITS)
    except (BrokenXml, UnicodeEncodeError):
        return ""
    inner = inner_xml(element)
    if is_blank(inner):
        if block.type != "problem":
            return ""
        inner = ""
    if block.type not in LEAVES and _looks_like_blocks(element):
        return ""
    del fields["data"]
    return inner


def _looks_like_blocks(element: Element) -> bool:
    """Would the content of a block of unknown type be taken for its children?"""
    return any(
        child.tag in STRUCTURAL or child.tag in LEAVES or "url_name" in child.attrib
        for child in child_elements(element)
    )
