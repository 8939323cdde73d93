"""What would differ after import, export and import again: for authors who want to know before they rely on it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from common.keys import CourseKey
from olx.errors import ArchiveRefused, UnwritableBlock
from olx.limits import Limits
from olx.model import Asset, Block, Course
from olx.reader import read_course
from olx.report import Report
from olx.snapshot import from_snapshot, to_snapshot
from olx.tree import File, Tree
from olx.values import Json
from olx.writer import asset_files, course_files

LISTED: Final = 500
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same afterwards."""

    kind: str
    """block, draft, asset, file, course, or export (when the course cannot be written or read again)."""
    key: str
    part: str
    """`settings.due`, `fields.data`, `children`, ...; empty when it is the whole thing."""
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The outcome: no difference, and the same bytes at the second export, or what differs."""

    differences: list[Difference] = field(default_factory=list)
    changed_files: list[str] = field(default_factory=list)
    """Files that a second export would write otherwise than the first."""

    @property
    def is_equal(self) -> bool:
        return not self.differences and not self.changed_files

    def to_json(self) -> dict[str, object]:
        return {
            "equal": self.is_equal,
            "count": len(self.differences),
            "differences": [asdict(difference) for difference in self.differences[:LISTED]],
            "changed_files": self.changed_files[:LISTED],
        }


def round_trip(snapshot: Mapping[str, Json]) -> RoundTrip:
    """Export a snapshot and import it again under its key, without an archive between: assets keep their digests."""
    target = CourseKey.parse(str(snapshot["course_id"]))
    before = from_snapshot(snapshot)
    try:
        files = course_files(before)
        static = {path: File(asset.size, digest=asset.digest) for path, asset in asset_files(before).items()}
        tree = Tree(
            Path(), {**{path: File(len(data), data) for path, data in files.items()}, **static}, folder="course"
        )
        after = from_snapshot(to_snapshot(read_course(tree, Report(), Limits()), target))
        again = course_files(after)
    except UnwritableBlock as unwritable:
        return RoundTrip([Difference("export", unwritable.block, "", None, unwritable.reason)])
    except ArchiveRefused as refused:
        return RoundTrip([Difference("export", refused.member or "", "", None, refused.message)])
    changed = sorted(path for path in files.keys() | again.keys() if files.get(path) != again.get(path))
    return RoundTrip(list(compare(before, after)), changed)


def compare(before: Course, after: Course) -> Iterator[Difference]:
    """Everything in which two courses differ, block by block and setting by setting."""
    for part in ("kind", "org", "number", "run"):
        yield from _values("course", before.root, {part: getattr(before, part)}, {part: getattr(after, part)}, "")
    for key in _keys(before.blocks, after.blocks):
        yield from _blocks("block", key, before.blocks.get(key), after.blocks.get(key))
    for key in _keys(before.drafts, after.drafts):
        old, new = before.drafts.get(key), after.drafts.get(key)
        yield from _blocks("draft", key, old.block if old else None, new.block if new else None)
        if old and new:
            places: list[dict[str, Json]] = [{"parent": one.parent, "index": one.index} for one in (old, new)]
            yield from _values("draft", key, places[0], places[1], "")
    for name in _keys(before.assets, after.assets):
        yield from _assets(name, before.assets.get(name), after.assets.get(name))
    yield from _values("file", "", dict(before.files), dict(after.files), "")


def _there(thing: object) -> str | None:
    return None if thing is None else "there"


def _keys(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))


def _blocks(kind: str, key: str, before: Block | None, after: Block | None) -> Iterator[Difference]:
    if before is None or after is None:
        yield Difference(kind, key, "", _there(before), _there(after))
        return
    yield from _values(kind, key, before.settings, after.settings, "settings.")
    yield from _values(kind, key, before.fields, after.fields, "fields.")
    yield from _values(kind, key, dict(before.xml_attributes), dict(after.xml_attributes), "attributes.")
    if before.children != after.children:
        yield Difference(kind, key, "children", _shown(list(before.children)), _shown(list(after.children)))


def _assets(name: str, before: Asset | None, after: Asset | None) -> Iterator[Difference]:
    if before is None or after is None:
        yield Difference("asset", name, "", _there(before), _there(after))
        return
    yield from _values("asset", name, asdict(before), asdict(after), "")


def _values(
    kind: str, key: str, before: Mapping[str, Json], after: Mapping[str, Json], prefix: str
) -> Iterator[Difference]:
    for name in _keys(before, after):
        old, new = (_shown(values[name]) if name in values else None for values in (before, after))
        if old != new or before.get(name) != after.get(name):
            yield Difference(kind, key, f"{prefix}{name}", _short(old), _short(new))


def _shown(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
