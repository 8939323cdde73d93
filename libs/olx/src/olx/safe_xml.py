"""XML from strangers: no DTD, no entities, no network, known encodings, bounded."""

import copy
import re
from collections.abc import Iterator

from lxml import etree

from olx.limits import Limits

Element = etree._Element

# Atomic groups, so that a prolog of a thousand comments is walked once and not in every possible partition.
_DOCTYPE = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?>(?:<\?(?>.*?\?>)\s*|<!--(?>.*?-->)\s*)*)<!DOCTYPE", re.DOTALL)
_DECLARED = re.compile(rb"\A\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
# What courses were written in before UTF-8, by the names that declarations use.
_LEGACY = re.compile(
    r"(?:iso-?8859-?(?:1[013-6]|[1-9])|latin-?(?:10|[1-9])|(?:windows-|cp)125[0-8]|koi8-[ru]|macintosh|"
    r"gb2312|gbk|gb18030|big5|shift_jis|euc-(?:jp|kr))"
)
_BLANK = re.compile(r"[ \t\r\n]*")


class BrokenXml(Exception):
    """A document cannot be read; `code` says why."""

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        self.code = code
        self.message = message
        self.line = line
        super().__init__(message)


def parse_xml(data: bytes, limits: Limits) -> Element:
    """The root element. Comments stay in (they are part of raw content), CDATA becomes text."""
    if len(data) > limits.text_bytes:
        raise BrokenXml("xml_broken", f"larger than {limits.text_bytes} bytes")
    data = _as_utf8(data)
    if _DOCTYPE.match(data):
        raise BrokenXml("xml_doctype", "a DOCTYPE is not allowed")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BrokenXml("xml_broken", error.msg or "not well-formed", _line_number(error.lineno)) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BrokenXml("xml_doctype", "a DOCTYPE is not allowed")
    for element in root.iter():
        if isinstance(element, etree._Entity):
            raise BrokenXml("xml_broken", "an entity is not defined", line_of(element))
        if len(element.attrib) > limits.attributes:
            raise BrokenXml("xml_broken", f"more than {limits.attributes} attributes", line_of(element))
    return root


def _as_utf8(data: bytes) -> bytes:
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16").encode()
        declared = _DECLARED.match(data)
        encoding = declared.group(1).decode().lower().replace("_8859", "-8859") if declared else "utf-8"
        if _LEGACY.fullmatch(encoding):
            return data.decode(encoding).encode()
        data.decode("utf-8")
    except UnicodeError as error:
        raise BrokenXml("not_utf8", f"not UTF-8: {error}") from error
    return data


def inner_xml(element: Element) -> str:
    """What is between an element's tags, in one form that does not change when it is read again."""
    text = element.text or ""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return escaped + "".join(etree.tostring(_on_its_own(child), encoding="unicode") for child in element)


def _on_its_own(child: Element) -> Element:
    """The child without the namespaces its surroundings declare and it does not use."""
    if not child.nsmap:
        return child
    child = copy.deepcopy(child)
    etree.cleanup_namespaces(child)
    return child


def outer_xml(element: Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)


def without_blanks(element: Element) -> str:
    """The element as text, without the blanks that only indent it: what unnamed blocks are called after."""
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    return outer_xml(etree.fromstring(outer_xml(element), parser))


def is_element(node: Element) -> bool:
    """No comment, and no processing instruction."""
    return not isinstance(node, etree._Comment | etree._ProcessingInstruction)


def child_elements(element: Element) -> Iterator[Element]:
    """Children that are elements, not comments or processing instructions."""
    return filter(is_element, element)


def remove_element(element: Element) -> None:
    """Take the element out, and leave the text behind it where it is."""
    parent, tail = element.getparent(), element.tail
    if parent is None:
        return
    before = element.getprevious()
    if tail and before is None:
        parent.text = (parent.text or "") + tail
    elif tail and before is not None:
        before.tail = (before.tail or "") + tail
    parent.remove(element)


def loose_text(element: Element) -> str:
    """Text directly inside a container, between its children."""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip()


def is_blank(text: str) -> bool:
    return _BLANK.fullmatch(text) is not None


def line_of(element: Element) -> int | None:
    return _line_number(element.sourceline)


def _line_number(line: object) -> int | None:
    return line if isinstance(line, int) else None
