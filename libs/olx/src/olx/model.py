"""A course as plain values, free of files and of databases."""

from dataclasses import dataclass, field
from typing import Final, Literal

from olx.values import Json

Kind = Literal["course", "library"]

DETACHED_TYPES: Final = ("about", "course_info", "static_tab", "custom_tag_template")


def local_key(block_type: str, block_id: str) -> str:
    return f"{block_type}@{block_id}"


@dataclass(slots=True)
class Block:
    type: str
    id: str
    fields: dict[str, Json] = field(default_factory=dict)
    """Content: `data`, and for a course its grading policy."""
    settings: dict[str, Json] = field(default_factory=dict)
    """What is set on the block itself; nothing inherited, no defaults."""
    children: list[str] = field(default_factory=list)
    """`type@id` of each child, in order."""
    xml_attributes: dict[str, str] = field(default_factory=dict)
    """Attributes that are no settings and go out as they came in."""

    @property
    def key(self) -> str:
        return f"{self.type}@{self.id}"


@dataclass(slots=True)
class Draft:
    """A block whose unpublished state differs from its published one (or that has no published one)."""

    block: Block
    parent: str | None
    index: int


@dataclass(slots=True)
class Asset:
    name: str
    digest: str
    size: int
    content_type: str
    displayname: str
    locked: bool = False
    import_path: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Course:
    kind: Kind
    org: str
    number: str
    run: str
    root: str
    """`course@course` or `library@library`, whatever the archive called it."""
    blocks: dict[str, Block] = field(default_factory=dict)
    """The published tree from the root down, then the detached pages."""
    drafts: dict[str, Draft] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Texts that are no blocks and go out as they came in."""
