"""From elements and definition files to blocks."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from common.keys import clean_name
from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.lookup import definition_path, definition_paths, html_paths, nfc
from olx.model import Block, local_key
from olx.names import block_name
from olx.report import Report
from olx.safe_xml import (
    BrokenXml,
    Element,
    child_elements,
    inner_xml,
    is_blank,
    is_element,
    line_of,
    loose_text,
    outer_xml,
    parse_xml,
    remove_element,
    without_blanks,
)
from olx.settings_of import read_meta, read_settings
from olx.tags import ASIDES, CUSTOM_TAGS, FAMILY, FOLDERS, LEAVES, ROOTS, STRUCTURAL, is_known
from olx.tree import Tree

_TYPE: Final = re.compile(r"[\w\-~.]+")
_HASH_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands: its file, and the blocks that contain it."""

    file: str
    ancestors: tuple[str, ...] = ()


@dataclass(slots=True)
class Definition:
    """What an element turned out to define."""

    type: str
    id: str
    element: Element
    file: str
    source: str
    """Equal for two elements that define the same block: a file's path or the element's own text."""
    outer: Element | None = None
    """The element whose attributes override the file's, when the body came from a file named by `filename`."""


@dataclass(slots=True)
class BlockReader:
    tree: Tree
    report: Report
    limits: Limits
    folder: str = ""
    """Prefix of the definition files: empty, or `drafts/`."""
    published: "BlockReader | None" = None
    """While drafts are read: where blocks without a draft are."""
    blocks: dict[str, Block] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Files already reported, which a second pointer to them does not report again."""
    sources: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """The file that holds each block's content."""

    def read_child(self, element: Element, place: Place) -> str | None:
        """The key of the block this element stands for, read now or before; None when it is left out."""
        if len(place.ancestors) > self.limits.nesting:
            self._drop("too_deep", f"<{element.tag}> lies more than {self.limits.nesting} levels deep", place, element)
            return None
        if (unchanged := self._published_only(element)) is not None:
            return unchanged
        definition = self._find_definition(element, place)
        if definition is None:
            return None
        key = local_key(definition.type, definition.id)
        if key in place.ancestors:
            self._drop("child_cycle", f"{key} contains itself", place, element)
            return None
        known = self.sources.get(key)
        if known is not None and known != definition.source:
            key = self._rename(definition, place, element)
        if self.sources.get(key) == definition.source:
            message = f"{key} has more than one parent"
            self.report.add("shared_child", message, file=place.file, line=line_of(element), action="shared")
            return key
        try:
            return self.read_block(definition, place.ancestors)
        except BrokenXml as broken:
            del self.blocks[key], self.sources[key]
            self._drop(broken.code, broken.message, place, element)
            return None

    def read_block(self, definition: Definition, ancestors: tuple[str, ...] = ()) -> str:
        """Read the block and everything below it."""
        block = Block(definition.type, definition.id)
        key = block.key
        self.sources[key] = definition.source
        self.places[key] = definition.file
        self.blocks[key] = block
        if len(self.blocks) > self.limits.blocks:
            raise ArchiveRefused("too_many_blocks", f"The course has more than {self.limits.blocks} blocks.")
        elements = [definition.element] if definition.outer is None else [definition.element, definition.outer]
        for element in elements:
            read_settings(block, element, definition.file, self.report, is_draft=bool(self.folder))
        if self._is_container(definition):
            self._read_children(block, definition, (*ancestors, key))
        else:
            self._read_body(block, definition)
        return key

    def _published_only(self, element: Element) -> str | None:
        """While drafts are read: the key of a child that has no draft of its own."""
        if self.published is None or not is_pointer(element):
            return None
        name = nfc(element.get("url_name", ""))
        key = local_key(element.tag, block_name(name))
        return (
            key
            if definition_path(self.folder, element.tag, name) not in self.tree.files and key in self.published.blocks
            else None
        )

    # Finding what an element defines.

    def _find_definition(self, element: Element, place: Place) -> Definition | None:
        block_type = element.tag
        if not _TYPE.fullmatch(block_type) or block_type in FOLDERS or block_type in ROOTS:
            self._drop("bad_block_type", f"<{block_type}> cannot be the type of a block here", place, element)
            return None
        is_in_file = definition_path(self.folder, block_type, element.get("url_name", "")) in self.tree.files
        if block_type in CUSTOM_TAGS and not (is_in_file and is_pointer(element)):
            return self._translate_custom_tag(element, place)
        if is_pointer(element):
            return self._follow_pointer(element, place)
        name = self._name_of(element, place)
        path = self._body_path(element)
        if path is not None:
            body = self._load(path, place, element)
            if not is_empty(element):
                self._ignore_content(f"{block_type}@{name}", path, place, element)
            source = f"{path} {outer_xml(element)}"
            return None if body is None else Definition(block_type, name, body, path, source, element)
        if is_in_file and element.get("filename") is None and is_empty(element):
            message = (
                f"<{block_type} url_name={element.get('url_name')!r}> has more attributes, so its file is not read"
            )
            self.report.add("possible_pointer", message, file=place.file, line=line_of(element))
        return Definition(block_type, name, element, place.file, outer_xml(element))

    def _follow_pointer(self, element: Element, place: Place) -> Definition | None:
        block_type, written = element.tag, nfc(element.get("url_name", ""))
        path = definition_path(self.folder, block_type, written)
        name = self._clean(written, place, element)
        if self.published is not None and path not in self.tree.files:
            path = path.removeprefix(self.folder)
        body = self._load(path, place, element)
        if body is None:
            return None
        if body.tag != block_type:
            self.report.add("tag_mismatch", f"<{block_type}> points at a <{body.tag}>", file=path, line=line_of(body))
        if nfc(body.get("url_name") or written) != written:
            message = f"{path} says that it is {body.get('url_name')!r}; it is read as {written!r}"
            self.report.add("url_name_mismatch", message, file=path, line=line_of(body), action="ignored")
        if is_pointer(body) and definition_path(self.folder, body.tag, body.get("url_name", "")) in self.tree.files:
            message = f"{path} holds nothing but a pointer; {block_type}@{name} is empty"
            self.report.add("only_a_pointer", message, file=path, line=line_of(body))
        body_path = self._body_path(body)
        if body_path is not None and body_path != path:
            inner = self._load(body_path, Place(path), body)
            if not is_empty(body):
                self._ignore_content(f"{block_type}@{name}", body_path, Place(path), body)
            return None if inner is None else Definition(block_type, name, inner, body_path, path, body)
        return Definition(block_type, name, body, path, path)

    def _body_path(self, element: Element) -> str | None:
        """The file whose element is the body of this one, if it names one. (That of html is text.)"""
        filename = element.get("filename")
        if filename is None or element.tag == "html" or not is_known(element.tag):
            return None
        paths = definition_paths(self.folder, element.tag, filename)
        return next((path for path in paths if path in self.tree.files), paths[0])

    def _translate_custom_tag(self, element: Element, place: Place) -> Definition:
        """`<slides .../>` is an old way to write `<customtag impl="slides" .../>`."""
        tag, element.tag = element.tag, "customtag"
        element.set("impl", tag)
        name = self._name_of(element, place)
        message = f'<{tag}> is read as <customtag impl="{tag}">, with the name {name!r}'
        self.report.add("custom_tag_translated", message, file=place.file, line=line_of(element), action="replaced")
        return Definition("customtag", name, element, place.file, outer_xml(element))

    def _ignore_content(self, key: str, path: str, place: Place, element: Element) -> None:
        message = f"{key} takes its content from {path}; what stands in the element itself is not read"
        self.report.add("content_ignored", message, file=place.file, line=line_of(element), action="ignored")

    def _load(self, path: str, place: Place, element: Element) -> Element | None:
        if path not in self.tree.files:
            self._drop("file_missing", f"<{element.tag}> points at {path}, which is not in the archive", place, element)
            return None
        self.used.add(path)
        try:
            root = parse_xml(self.tree.read(path), self.limits)
            self.note_comments(root.itersiblings(preceding=True), path)
            return root
        except BrokenXml as broken:
            if path not in self.broken:
                message = f"{path} cannot be read: {broken.message}"
                self.report.add(broken.code, message, file=path, line=broken.line, action="dropped")
            self.broken.add(path)
            return None

    # Names.

    def _name_of(self, element: Element, place: Place) -> str:
        for attribute in ("url_name", "slug"):
            if value := element.get(attribute):
                return self._clean(nfc(value), place, element)
        for attribute in ("name", "display_name"):
            if value := clean_name(nfc(element.get(attribute, ""))):
                return block_name(value)
        name = base = f"{element.tag}_{_short_hash(without_blanks(element))}"
        count = 1
        while local_key(element.tag, name) in self.sources:
            count += 1
            name = f"{base}_{count}"
        message = f"<{element.tag}> has no url_name; it is called {name}"
        self.report.add("unnamed_block", message, file=place.file, line=line_of(element), action="renamed")
        return name

    def _clean(self, name: str, place: Place, element: Element) -> str:
        cleaned = block_name(name)
        if cleaned == name:
            return name
        shown = name if len(name) <= 200 else name[:197] + "..."
        message = f"<{element.tag}> {shown!r} is called {cleaned!r} here"
        self.report.add("name_cleaned", message, file=place.file, line=line_of(element), action="cleaned")
        return cleaned

    def _rename(self, definition: Definition, place: Place, element: Element) -> str:
        old = local_key(definition.type, definition.id)
        definition.id = base = block_name(f"{definition.type}_{definition.id}_{_short_hash(definition.source)}")
        count = 1
        while (
            self.sources.get(key := local_key(definition.type, definition.id), definition.source) != definition.source
        ):
            count += 1
            definition.id = f"{base}_{count}"
        message = f"{old} is defined twice with different content; this one is called {definition.id}"
        self.report.add("duplicate_renamed", message, file=place.file, line=line_of(element), action="renamed")
        return key

    # What is inside.

    def _is_container(self, definition: Definition) -> bool:
        if definition.type in STRUCTURAL:
            return True
        if definition.type in LEAVES or loose_text(definition.element):
            return False
        children = [
            child for child in child_elements(definition.element) if child.tag != "meta" and child.get(FAMILY) != ASIDES
        ]
        return bool(children) and all(self._is_block(child) for child in children)

    def _is_block(self, element: Element) -> bool:
        """Is this child of a container of unknown type a block, and not some content of its own?"""
        if not _TYPE.fullmatch(element.tag):
            return False
        if element.tag in STRUCTURAL:
            return True
        if is_pointer(element):
            path = definition_path(self.folder, element.tag, element.get("url_name", ""))
            return path in self.tree.files or path.removeprefix(self.folder) in self.tree.files
        return "url_name" in element.attrib and (element.tag in LEAVES or FAMILY in element.attrib)

    def _read_children(self, block: Block, definition: Definition, ancestors: tuple[str, ...]) -> None:
        place = Place(definition.file, ancestors)
        self.note_comments(definition.element, definition.file)
        if text := loose_text(definition.element):
            shown = text if len(text) <= 60 else text[:57] + "..."
            self._drop(
                "unexpected_text", f"{block.key} has text between its children: {shown!r}", place, definition.element
            )
        for element in child_elements(definition.element):
            if self._is_own_property(block, element, place):
                continue
            key = self.read_child(element, place)
            if key is None:
                continue
            if key in block.children:
                self._drop("duplicate_child", f"{block.key} lists {key} twice", place, element)
            else:
                block.children.append(key)

    def note_comments(self, nodes: Iterable[Element], file: str) -> None:
        """Comments and processing instructions around blocks have no place in a course."""
        found = [node for node in nodes if not is_element(node)]
        if found:
            message = f"{len(found)} comments or processing instructions between blocks are not kept"
            self.report.add("comment_dropped", message, file=file, line=line_of(found[0]), action="dropped")

    def _is_own_property(self, block: Block, element: Element, place: Place) -> bool:
        """Children that say something about the container itself."""
        if element.tag == "meta":
            if not read_meta(block, element):
                self._drop("meta_broken", f"The <meta> of {block.key} holds no JSON object", place, element)
            return True
        if element.get(FAMILY) == ASIDES:
            self._drop("aside_dropped", f"{block.key} has a remark <{element.tag}>", place, element)
            return True
        if block.type == "course" and element.tag == "wiki":
            if slug := element.get("slug"):
                block.settings["wiki_slug"] = slug
            return True
        if block.type == "course" and element.tag == "textbook":
            books = block.settings.setdefault("textbooks", [])
            if isinstance(books, list):
                books.append([element.get("title", ""), element.get("book_url", "")])
            return True
        if block.type == "conditional" and element.tag == "show":
            block.settings["show_tag_list"] = [key for key in re.split(r"[;\s]+", element.get("sources", "")) if key]
            return True
        return False

    def _read_body(self, block: Block, definition: Definition) -> None:
        element = definition.element
        if block.type == "html":
            text = self._html_text(element, definition)
            block.fields.setdefault("data", text)
            return
        for meta in [child for child in child_elements(element) if child.tag == "meta" and not child.attrib]:
            if read_meta(block, meta):
                remove_element(meta)
        inner = inner_xml(element)
        if block.type == "problem":
            block.fields.setdefault("data", f"<problem>{'' if is_blank(inner) else inner}</problem>")
        elif not is_blank(inner):
            block.fields.setdefault("data", inner)

    def _html_text(self, element: Element, definition: Definition) -> str:
        filename = element.get("filename")
        if filename is None:
            return inner_xml(element)
        folder = definition.file.rpartition("/")[0] if definition.source == definition.file else f"{self.folder}html"
        for path in html_paths(folder, filename, self.folder):
            if path in self.tree.files and path != definition.file:
                self.used.add(path)
                self.places[local_key(definition.type, definition.id)] = path
                if not is_empty(element):
                    self._ignore_content(f"html@{definition.id}", path, Place(definition.file), element)
                return self._read_text(path)
        message = f"html@{definition.id} has its text in {filename}, which is not in the archive"
        raise BrokenXml("file_missing", message, line_of(element))

    def _read_text(self, path: str) -> str:
        data = self.tree.read(path)
        if len(data) > self.limits.text_bytes:
            raise BrokenXml("xml_broken", f"{path} is larger than {self.limits.text_bytes} bytes")
        if b"\0" in data:
            raise BrokenXml("not_utf8", f"{path} is not text")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BrokenXml("not_utf8", f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error

    def _drop(self, code: str, message: str, place: Place, element: Element) -> None:
        self.report.add(code, message, file=place.file, line=line_of(element), action="dropped")


def is_pointer(element: Element) -> bool:
    """Does the element only name a block that is defined in its own file?"""
    names = set(element.attrib)
    is_named = names == {"url_name"} or (element.tag == "course" and names == {"url_name", "org", "course"})
    return is_named and bool(element.get("url_name")) and is_empty(element)


def is_empty(element: Element) -> bool:
    return next(child_elements(element), None) is None and not loose_text(element)


def _short_hash(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:_HASH_LENGTH]
