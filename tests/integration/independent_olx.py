"""A second, naive reading of a course archive: the standard library only, nothing of ours.

It knows just what the two courses of these tests contain, so that its answer can be checked by eye against the XML.
"""

import copy
import hashlib
import html
import io
import json
import posixpath
import re
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

CONTAINERS = {"course", "chapter", "sequential", "vertical", "library_content", "field_trip"}
NOT_SETTINGS = {"url_name", "filename", "slug", "org", "course"}


@dataclass
class Block:
    kind: str
    name: str
    settings: dict[str, str] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    text: str | None = None
    inner: list[str] = field(default_factory=list)


@dataclass
class Archive:
    root: str
    blocks: dict[str, Block]
    static: dict[str, str]
    about: dict[str, str]
    source: tuple[str, str, str]

    def moved(self, text: str) -> str:
        """Links to the source course's own files and blocks become links that hold in any course."""
        org, course, run = map(re.escape, self.source)
        files = rf"/(?:asset-v1:{org}\+{course}\+{run}\+type@asset\+block@|c4x/{org}/{course}/asset/)"
        text = re.sub(rf"(?<![^\"'(&;]){files}(?=[\w.%-])", "/static/", text)
        jump = rf"/courses/course-v1:{org}\+{course}\+{run}/jump_to/block-v1:{org}\+{course}\+{run}\+type@\w+\+block@"
        return re.sub(jump, "/jump_to_id/", text)


def canonical(element: ET.Element) -> str:
    alone = copy.copy(element)
    alone.tail = None
    return ET.canonicalize(ET.tostring(alone, encoding="unicode"), strip_text=True)


def read(packed: bytes) -> Archive:
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.isfile():
                files[member.name] = archive.extractfile(member).read()
    top = min((name for name in files if posixpath.basename(name) == "course.xml"), key=lambda name: name.count("/"))
    base = posixpath.dirname(top)
    inside = {posixpath.relpath(name, base): data for name, data in files.items() if name.startswith(f"{base}/")}
    pointer = ET.fromstring(inside["course.xml"])
    policy = json.loads(inside[f"policies/{pointer.get('url_name')}/policy.json"])
    source = (pointer.get("org", ""), pointer.get("course", ""), pointer.get("url_name", ""))
    blocks: dict[str, Block] = {}
    _read_block(pointer, inside, policy, blocks)
    static = {
        re.sub(r"[^\w.\-%]", "_", name.removeprefix("static/").replace("/", "_")): hashlib.sha256(data).hexdigest()
        for name, data in inside.items()
        if name.startswith("static/")
    }
    about = {
        posixpath.basename(name).rsplit(".", 1)[0]: data.decode()
        for name, data in inside.items()
        if name.startswith("about/") and name.count("/") == 1
    }
    return Archive(f"course@{pointer.get('url_name')}", blocks, static, about, source)


def _read_block(element: ET.Element, files: dict[str, bytes], policy: dict, blocks: dict[str, Block]) -> str:
    kind, name = element.tag, element.get("url_name")
    if name is None:
        raise AssertionError(f"an unnamed {kind}")
    only_pointer = set(element.attrib) <= {"url_name", "org", "course"} and len(element) == 0
    if only_pointer:
        element = ET.fromstring(files[f"{kind}/{name}.xml"])
    block = Block(kind, name)
    blocks[f"{kind}@{name}"] = block
    block.settings = {key: value for key, value in element.attrib.items() if key not in NOT_SETTINGS}
    for key, value in policy.get(f"{kind}/{name}", {}).items():
        block.settings[key] = value if isinstance(value, str) else json.dumps(value)
    if kind == "html" and (source := element.get("filename")):
        block.text = files[f"html/{source}.html"].decode()
        return f"{kind}@{name}"
    for child in element:
        if kind == "course" and child.tag in {"wiki", "textbook"}:
            continue
        if kind in CONTAINERS:
            block.children.append(_read_block(child, files, policy, blocks))
        else:
            block.inner.append(canonical(child))
    return f"{kind}@{name}"


def same_value(expected: str, actual: object) -> bool:
    """A setting may be stored as the text it was, or as the JSON value that the text spells."""
    if actual == expected or actual == html.unescape(expected):
        return True
    if isinstance(actual, bool) or actual is None:
        spelled = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None, "": None}
        return spelled.get(expected, expected) is actual
    try:
        decoded = json.loads(expected)
    except ValueError:
        return False
    if isinstance(actual, str):
        try:
            return bool(json.loads(actual) == decoded)
        except ValueError:
            return False
    return bool(actual == decoded)


def inner_of(data: str) -> list[str]:
    """The child elements of a raw block's stored XML, whether it was stored with or without its own element."""
    wrapped = (
        ET.fromstring(f"<wrapped>{data}</wrapped>") if not data.lstrip().startswith("<?xml") else ET.fromstring(data)
    )
    return [canonical(child) for child in wrapped]
