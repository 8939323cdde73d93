"""A course as one JSON document: what import hands to the content store, and what the store hands to export."""

from collections.abc import Mapping
from typing import Final, cast

from common.keys import CourseKey, InvalidKey
from olx.model import Asset, Block, Course, Draft, Kind
from olx.references import References
from olx.values import Json

FORMAT: Final = 1

Snapshot = dict[str, Json]


class NotASnapshot(ValueError):
    """The document is not a snapshot of a course."""


def to_snapshot(course: Course, target: CourseKey) -> Snapshot:
    """The course under the key it is imported as: references to its old name follow."""
    references = _references(course, target)
    blocks = {key: _block_json(block, references) for key, block in course.blocks.items()}
    drafts: dict[str, Json] = {
        key: {**_block_json(draft.block, references), "parent": draft.parent, "index": draft.index}
        for key, draft in course.drafts.items()
    }
    return {
        "format": FORMAT,
        "course_id": target.canonical,
        "org": target.org,
        "number": target.course,
        "run": target.run,
        "root": course.root,
        "blocks": cast("Json", blocks),
        "drafts": drafts,
        "assets": {name: _asset_json(asset, references) for name, asset in course.assets.items()},
        "files": dict(course.files),
    }


def from_snapshot(snapshot: Mapping[str, Json]) -> Course:
    """The course a snapshot holds; the reverse of `to_snapshot` under the course's own key."""
    if snapshot.get("format") != FORMAT:
        raise NotASnapshot(f"format {snapshot.get('format')!r} is not {FORMAT}")
    try:
        key = CourseKey.parse(str(snapshot["course_id"]))
        course = Course(key.kind, key.org, key.course, key.run, str(snapshot["root"]))
        for name, block in _objects(snapshot, "blocks"):
            course.blocks[name] = _read_block(block)
        for name, draft in _objects(snapshot, "drafts"):
            parent = draft.get("parent")
            course.drafts[name] = Draft(
                _read_block(draft), None if parent is None else str(parent), _int(draft["index"])
            )
        for name, asset in _objects(snapshot, "assets"):
            course.assets[name] = _read_asset(name, asset)
        for name, text in _object(snapshot.get("files") or {}).items():
            course.files[name] = str(text)
    except (KeyError, TypeError, InvalidKey) as error:
        raise NotASnapshot(f"{type(error).__name__}: {error}") from error
    if course.root not in course.blocks:
        raise NotASnapshot(f"its root {course.root} is not among its blocks")
    return course


def _references(course: Course, target: CourseKey) -> References | None:
    if not course.org or not course.number:
        return None
    kind: Kind = course.kind
    references = References(CourseKey(course.org, course.number, course.run, kind), target)
    return None if references.is_idle else references


def _block_json(block: Block, references: References | None) -> dict[str, Json]:
    fields, settings = block.fields, block.settings
    if references is not None:
        fields = {name: references.rewrite(value) for name, value in fields.items()}
        settings = {name: references.rewrite(value) for name, value in settings.items()}
        if "wiki_slug" in settings:
            settings["wiki_slug"] = references.wiki_slug(settings["wiki_slug"])
    out: dict[str, Json] = {
        "type": block.type,
        "id": block.id,
        "fields": fields,
        "settings": settings,
        "children": list(block.children),
    }
    if block.xml_attributes:
        out["extra"] = {"xml_attributes": dict(block.xml_attributes)}
    return out


def _asset_json(asset: Asset, references: References | None) -> dict[str, Json]:
    return {
        "digest": asset.digest,
        "size": asset.size,
        "content_type": asset.content_type,
        "displayname": asset.displayname,
        "locked": asset.locked,
        "import_path": asset.import_path,
        "extra": asset.extra if references is None else {k: references.rewrite(v) for k, v in asset.extra.items()},
    }


def _read_block(given: dict[str, Json]) -> Block:
    extra = _object(given.get("extra") or {})
    attributes = _object(extra.get("xml_attributes") or {})
    children = given.get("children") or []
    if not isinstance(children, list):
        raise TypeError("children is not a list")
    return Block(
        str(given["type"]),
        str(given["id"]),
        dict(_object(given.get("fields") or {})),
        dict(_object(given.get("settings") or {})),
        [str(child) for child in children],
        {name: str(value) for name, value in attributes.items()},
    )


def _read_asset(name: str, given: dict[str, Json]) -> Asset:
    path = given.get("import_path")
    return Asset(
        name,
        str(given["digest"]),
        _int(given["size"]),
        str(given.get("content_type") or "application/octet-stream"),
        str(given.get("displayname") or name),
        bool(given.get("locked")),
        None if path is None else str(path),
        dict(_object(given.get("extra") or {})),
    )


def _objects(snapshot: Mapping[str, Json], name: str) -> list[tuple[str, dict[str, Json]]]:
    return [(key, _object(value)) for key, value in _object(snapshot.get(name) or {}).items()]


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def _int(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a whole number was expected, not {type(value).__name__}")
    return value
