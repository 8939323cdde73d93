"""A second reading of any archive in `../shared/courses`: the standard library only, nothing of ours.

It follows the rules that Open edX documents for OLX in the simplest way there is, and stops where it meets something
none of those courses has. What it cannot say (the name of a block that has none) it leaves open.
"""

import copy
import hashlib
import io
import json
import posixpath
import re
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

CONTAINERS = {
    "chapter", "conditional", "course", "library", "library_content", "problemset", "randomize", "sequential",
    "section", "split_test", "vertical", "videosequence", "wrapper",
}  # fmt: skip
PROPERTIES = {"wiki", "textbook", "meta"}
NEVER = {"url_name", "slug", "filename", "org", "course", "library", "parent_url", "index_in_children_list"}
FOLDERS = ("about", "info", "tabs")


@dataclass
class Node:
    """One block where it stands; `name` is None where the course gives it none, or one that is taken."""

    tag: str
    name: str | None
    settings: dict[str, object] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)
    text: str | None = None
    inner: list[str] = field(default_factory=list)


@dataclass
class Reading:
    """What an archive says."""

    identity: tuple[str, str, str]
    root: Node
    pages: set[str]
    static: dict[str, str]
    drafts: set[str]
    missing: list[str]
    orphans: set[str]


class _Reader:
    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.policy: dict[str, dict[str, object]] = {}
        self.seen: dict[str, str] = {}
        self.used: set[str] = set()
        self.missing: list[str] = []

    def block(self, element: ET.Element, prefix: str = "") -> Node | None:
        tag, name = element.tag, element.get("url_name")
        source, folder = alone(element), "html"
        if set(element.attrib) == {"url_name"} and not len(element) and not (element.text or "").strip():
            path = f"{tag}/{(name or '').replace(':', '/')}.xml"
            path = prefix + path if prefix + path in self.files else path
            if path not in self.files:
                self.missing.append(path)
                return None
            self.used.add(path)
            element, source, folder = ET.fromstring(self.files[path]), path, posixpath.dirname(path)
        elif not name:
            name = element.get("slug") or clean(element.get("name", "")) or clean(element.get("display_name", ""))
        if tag != "html" and (body := element.get("filename")):
            path = f"{tag}/{body}.xml"
            self.used.add(path)
            inner = ET.fromstring(self.files[path])
            inner.attrib.update(element.attrib)
            element = inner
        return self.fill(Node(tag, self.free_name(tag, clean(name or ""), source)), element, prefix, folder)

    def free_name(self, tag: str, name: str, source: str) -> str | None:
        """None for a name another definition has already."""
        if not name:
            return None
        return name if self.seen.setdefault(f"{tag}@{name}", source) == source else None

    def fill(self, node: Node, element: ET.Element, prefix: str = "", folder: str = "") -> Node:
        node.settings = {key: value for key, value in element.attrib.items() if key not in NEVER}
        if "display_name" not in node.settings and "name" in node.settings:
            node.settings["display_name"] = node.settings.pop("name")
        node.settings |= self.policy.get(f"{node.tag}/{node.name}", {})
        if node.tag == "html":
            node.text = self.html(element, folder)
            return node
        for child in element:
            if node.tag not in CONTAINERS:
                node.inner.append(canonical(child))
            elif child.tag not in PROPERTIES and (below := self.block(child, prefix)) is not None:
                node.children.append(below)
        return node

    def html(self, element: ET.Element, folder: str) -> str | None:
        """The text of an html block that is in a file of its own; inline text is compared by its words elsewhere."""
        name = element.get("filename")
        if name is None:
            return None
        stem = name.removesuffix(".html").removesuffix(".xml")
        parts = f"{folder}/{stem}.html".split("/")
        for start in range(len(parts)):
            path = "/".join(parts[start:])
            if path in self.files:
                self.used.add(path)
                return self.files[path].decode()
        raise AssertionError(f"no text for {name}")


def clean(name: str) -> str:
    return re.sub(r"_+", "_", re.sub(r"[^\w\-~.:%]", "_", name))


def canonical(element: ET.Element) -> str:
    return ET.canonicalize(alone(element), strip_text=True)


def alone(element: ET.Element) -> str:
    """The element as text, without what follows it."""
    single = copy.copy(element)
    single.tail = None
    return ET.tostring(single, encoding="unicode")


def unpacked(packed: bytes) -> dict[str, bytes]:
    """The regular files below the folder of the root file."""
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.isfile():
                files[posixpath.normpath(member.name)] = archive.extractfile(member).read()
    roots = [name for name in files if posixpath.basename(name) in {"course.xml", "library.xml"}]
    base = posixpath.dirname(min(roots, key=lambda name: name.count("/")))
    return {posixpath.relpath(name, base): data for name, data in files.items() if name.startswith(f"{base}/")}


def read(packed: bytes) -> Reading:
    files = unpacked(packed)
    kind = "course" if "course.xml" in files else "library"
    reader = _Reader(files)
    root = ET.fromstring(files[f"{kind}.xml"])
    run = root.get("url_name") or root.get("slug") or clean(root.get("name", ""))
    identity = (root.get("org", "edx"), root.get(kind, ""), run)
    for path in (f"policies/{run}/policy.json", f"policies/{run}.json"):
        if kind == "course" and path in files:
            reader.policy = json.loads(files[path])
            break
    if not len(root):
        path = f"course/{run}.xml"
        reader.used.add(path)
        root = ET.fromstring(files[path])
    top = reader.fill(Node(kind, run if kind == "course" else "library"), root)
    pages = {
        f"{folder}/{name.rpartition('/')[2].split('.')[0]}"
        for name in files
        for folder in FOLDERS
        if kind == "course" and (name.startswith((f"{folder}/{run}/", f"{folder}/"))) and name.count("/") < 3
        if name.count("/") == 1 or name.startswith(f"{folder}/{run}/")
    }
    static = {
        name.partition("/")[2]: hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name.startswith("static/") and not posixpath.basename(name).startswith(("._", ".DS_Store"))
    }
    drafts = {
        f"{name.split('/')[1]}@{name.split('/', 2)[2].removesuffix('.xml')}"
        for name, data in files.items()
        if name.startswith("drafts/") and name.endswith(".xml") and b"index_in_children_list" in data
    }
    types = {name.partition("/")[0] for name in reader.used} | CONTAINERS | {"html", "problem", "video"}
    orphans = {
        name
        for name in files
        if name.partition("/")[0] in types and name.endswith(".xml") and "/" in name and name not in reader.used
    }
    return Reading(identity, top, pages, static, drafts, reader.missing, orphans)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)
