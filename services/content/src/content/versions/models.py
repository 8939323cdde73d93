"""Block rows before they are stored: canonical JSON, content addresses, digests. No I/O."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from common.keys import CourseKey

Json = Mapping[str, object]

DRAFT = "draft"
PUBLISHED = "published"
# The one branch of a content library.
LIBRARY = "library"

# How many levels of blocks a tree may have.
MAX_DEPTH = 100

# Types of rows that are no blocks. `$` cannot stand in a block type, so no course can hold a block that collides.
ASSET = "$asset"
FILE = "$file"

# Read and written beside the tree: reachable by their key, in nobody's children.
DETACHED = frozenset({"about", "static_tab", "course_info", "custom_tag_template"})
# Blocks without a draft state of their own.
DIRECT_ONLY = frozenset({"course", "chapter", "sequential", *DETACHED})


@dataclass(frozen=True, slots=True)
class Row:
    """One block (or asset, or file) as a version holds it; `settings` and `extra` are canonical JSON text."""

    block_id: str
    type: str
    parent: str | None
    definition: bytes | None
    settings: str
    children: tuple[str, ...]
    extra: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Definition:
    """The content-scope fields of a block; the guid is made from them, so equal content is stored once."""

    guid: bytes
    type: str
    fields: str


def canonical(value: object) -> bytes:
    """JSON with sorted keys: equal values have equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def define(block_type: str, fields: Json) -> Definition | None:
    """The definition of these fields; None when there are none."""
    if not fields:
        return None
    text = canonical(fields)
    guid = hashlib.sha256(block_type.encode() + b"\0" + text).digest()[:12]
    return Definition(guid, block_type, text.decode())


def make_row(
    block_id: str,
    block_type: str,
    *,
    parent: str | None = None,
    definition: Definition | bytes | None = None,
    settings: Json | None = None,
    children: Sequence[str] = (),
    extra: Json | None = None,
) -> Row:
    """A row with its digest; *definition* may be its guid."""
    guid = definition.guid if isinstance(definition, Definition) else definition
    settings_text = canonical(settings or {})
    extra_text = canonical(extra) if extra else None
    parts = (
        block_type.encode(),
        (parent or "").encode(),
        guid or b"",
        settings_text,
        "\n".join(children).encode(),
        extra_text or b"",
    )
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Row(
        block_id,
        block_type,
        parent,
        guid,
        settings_text.decode(),
        tuple(children),
        extra_text.decode() if extra_text else None,
        digest.digest(),
    )


def new_guid() -> bytes:
    """12 bytes: four of time, so that new versions lie together in the index, and eight of chance."""
    return int(time.time()).to_bytes(4, "big") + os.urandom(8)


def usage_of(course: CourseKey, block_id: str) -> str:
    """The key of a block, as all answers spell it."""
    block_type, _, name = block_id.partition("@")
    return str(course.usage(block_type, name))


def local_id(block_id: str) -> str:
    """`html@intro` → `intro`."""
    return block_id.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Live:
    """A row that stands at the head, and the version it stands since."""

    digest: bytes
    since: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a set of rows would change in a branch."""

    put: tuple[Row, ...]
    gone: tuple[str, ...]
    added: int

    @property
    def changed(self) -> int:
        return len(self.put) - self.added

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)


def difference(rows: Mapping[str, Row], live: Mapping[str, Live]) -> Difference:
    """Rows to write and ids to close so that a branch that holds *live* holds exactly *rows*."""
    put = tuple(row for block_id, row in rows.items() if block_id not in live or live[block_id].digest != row.digest)
    gone = tuple(block_id for block_id in live if block_id not in rows)
    return Difference(put, gone, sum(row.block_id not in live for row in put))
