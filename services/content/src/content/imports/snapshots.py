"""The snapshot: a whole course as one JSON document, and the rows it means. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from common.values import has_nul
from content.commands.errors import BadSnapshot
from content.versions.models import ASSET, DETACHED, DIRECT_ONLY, FILE, MAX_DEPTH, Definition, Row, define, make_row

FORMAT = 1
MAX_NAME = 1000  # bytes; an index entry must hold the name of a row
Json = dict[str, object]


@dataclass(slots=True)
class Block:
    """One block as the snapshot has it; `parent` and `index` only for drafts."""

    type: str
    fields: Json
    settings: Json
    children: list[str]
    extra: Json
    parent: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A course as it is to be, or was read."""

    root: str
    blocks: dict[str, Block]
    drafts: dict[str, Block]
    assets: dict[str, Json]
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rows:
    """What both branches are to hold."""

    published: dict[str, Row]
    draft: dict[str, Row]
    definitions: list[Definition]
    drafts: int


def read_snapshot(data: bytes) -> Snapshot:
    """Raises `BadSnapshot`, which says where it is not as expected."""
    if has_nul(data):
        raise BadSnapshot("The snapshot holds a NUL character, which cannot be stored.")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadSnapshot(f"The snapshot is not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadSnapshot(f"The snapshot is not of format {FORMAT}.")
    blocks = {name: _block(name, value) for name, value in _mapping(document, "blocks").items()}
    drafts = {name: _block(name, value) for name, value in _mapping(document, "drafts").items()}
    root = document.get("root")
    if not isinstance(root, str) or root not in blocks:
        raise BadSnapshot("The snapshot's root is not among its blocks.")
    assets = {}
    for name, value in _mapping(document, "assets").items():
        if not isinstance(value, dict) or not _is_digest(value.get("digest")):
            raise BadSnapshot(f"Asset {name} has no digest.")
        assets[name] = value
    files = {}
    for name, value in _mapping(document, "files").items():
        if not isinstance(value, str):
            raise BadSnapshot(f"File {name} is not text.")
        files[name] = value
    _check_names(blocks, drafts, assets, files)
    _check_shape(blocks, root)
    return Snapshot(root, blocks, drafts, assets, files)


def _check_names(*named: Mapping[str, object]) -> None:
    for names in named:
        for name in names:
            if not name or len(name.encode()) > MAX_NAME:
                raise BadSnapshot(f"The name {name[:80]!r} is empty or longer than {MAX_NAME} bytes.")


def _check_shape(blocks: Mapping[str, Block], root: str) -> None:
    """A tree has an end: no block is below itself, and none is deeper than anyone could read."""
    done: set[str] = set()
    path: dict[str, None] = {}
    stack: list[tuple[str, bool]] = [(root, False)]
    while stack:
        name, left = stack.pop()
        if left:
            del path[name]
            done.add(name)
        elif name in path:
            raise BadSnapshot(f"Block {name} is below itself.")
        elif name not in done and name in blocks:
            path[name] = None
            if len(path) > MAX_DEPTH:
                raise BadSnapshot(f"Block {name} is more than {MAX_DEPTH} levels deep.")
            stack.append((name, True))
            stack.extend((child, False) for child in blocks[name].children)


def _mapping(document: Json, name: str) -> Json:
    value = document.get(name) or {}
    if not isinstance(value, dict):
        raise BadSnapshot(f"The snapshot's {name} are not an object.")
    return value


def _block(name: str, value: object) -> Block:
    if not isinstance(value, dict):
        raise BadSnapshot(f"Block {name} is not an object.")
    block_type, block_id = value.get("type"), value.get("id")
    if not isinstance(block_type, str) or not isinstance(block_id, str) or name != f"{block_type}@{block_id}":
        raise BadSnapshot(f"Block {name} does not say its type and id.")
    children = value.get("children") or []
    if not isinstance(children, list) or not all(isinstance(child, str) for child in children):
        raise BadSnapshot(f"The children of block {name} are not a list of blocks.")
    parent, index = value.get("parent"), value.get("index")
    return Block(
        block_type,
        _mapping(value, "fields"),
        _mapping(value, "settings"),
        children,
        _mapping(value, "extra"),
        parent if isinstance(parent, str) else None,
        index if isinstance(index, int) else None,
    )


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and all(char in "0123456789abcdef" for char in value)


def build_rows(snapshot: Snapshot) -> Rows:
    """The published tree as it stands; the draft tree as that with the drafts laid over it."""
    definitions: dict[bytes, Definition] = {}
    others = _other_rows(snapshot, definitions)
    published = _rows(snapshot.blocks, snapshot.root, definitions) | others
    draft = published
    if snapshot.drafts:
        draft = _rows(_draft_blocks(snapshot), snapshot.root, definitions) | others
    return Rows(published, draft, list(definitions.values()), len(snapshot.drafts))


def _rows(blocks: Mapping[str, Block], root: str, definitions: dict[bytes, Definition]) -> dict[str, Row]:
    parents = {name: block.parent for name, block in blocks.items() if block.parent}
    for name in _reachable(blocks, root):
        for child in blocks[name].children:
            parents.setdefault(child, name)
    parents.pop(root, None)
    rows = {}
    for name, block in blocks.items():
        definition = define(block.type, block.fields)
        if definition:
            definitions[definition.guid] = definition
        rows[name] = make_row(
            name,
            block.type,
            parent=parents.get(name),
            definition=definition,
            settings=block.settings,
            children=block.children,
            extra=block.extra,
        )
    return rows


def _reachable(blocks: Mapping[str, Block], root: str) -> dict[str, None]:
    """In the order of reading, so that of two parents the one met first is the parent."""
    found: dict[str, None] = {}
    stack = [root]
    while stack:
        name = stack.pop()
        if name in found or name not in blocks:
            continue
        found[name] = None
        stack.extend(reversed(blocks[name].children))
    return found


def _draft_blocks(snapshot: Snapshot) -> dict[str, Block]:
    """Raises `BadSnapshot` when the drafts make the tree go round in a circle."""
    blocks = dict(snapshot.blocks)
    blocks.update(snapshot.drafts)
    placed = sorted(
        ((name, draft) for name, draft in snapshot.drafts.items() if draft.parent),
        key=lambda item: (item[1].index is None, item[1].index or 0),
    )
    for name, draft in placed:
        parent = blocks.get(draft.parent or "")
        if parent is None or name in parent.children:
            continue
        children = list(parent.children)
        children.insert(len(children) if draft.index is None else max(0, draft.index), name)
        blocks[draft.parent or ""] = Block(
            parent.type, parent.fields, parent.settings, children, parent.extra, parent.parent, parent.index
        )
    _check_shape(blocks, snapshot.root)
    # what a draft no longer lists is gone from the draft branch; it stays published until its parent is published
    left = _reachable(snapshot.blocks, snapshot.root).keys() - _reachable(blocks, snapshot.root).keys()
    for name in left - snapshot.drafts.keys():
        del blocks[name]
    return blocks


def _other_rows(snapshot: Snapshot, definitions: dict[bytes, Definition]) -> dict[str, Row]:
    rows = {}
    for name, asset in snapshot.assets.items():
        block_id = f"{ASSET}@{name}"
        rows[block_id] = make_row(block_id, ASSET, settings=asset)
    for path, text in snapshot.files.items():
        block_id = f"{FILE}@{path}"
        definition = define(FILE, {"text": text})
        if definition:
            definitions[definition.guid] = definition
        rows[block_id] = make_row(block_id, FILE, definition=definition)
    return rows


def root_only(rows: Mapping[str, Row]) -> dict[str, Row]:
    """What of a new course is published when only its draft is wanted: the root, bare, and what is detached."""
    kept = {}
    for name, row in rows.items():
        if row.type in DETACHED or row.type in (ASSET, FILE):
            kept[name] = row
        elif row.type == "course" and row.parent is None:
            kept[name] = make_row(name, row.type, settings=orjson.loads(row.settings))
    return kept


def describe_drafts(published: Mapping[str, Block], draft: Mapping[str, Block]) -> dict[str, Block]:
    """The drafts that, laid over *published*, give *draft* again; each says where its parent lists it."""
    places = {
        child: (name, index) for name, block in draft.items() for index, child in reversed([*enumerate(block.children)])
    }
    drafts = {}
    for name, block in draft.items():
        before = published.get(name)
        if before is not None and _same(before, block):
            continue
        if before is not None and _only_places(before, block, published):
            continue
        parent, index = places.get(name, (None, 0))
        drafts[name] = Block(block.type, block.fields, block.settings, block.children, block.extra, parent, index)
    return drafts


def _same(one: Block, other: Block, *, children: bool = True) -> bool:
    return (
        one.fields == other.fields
        and one.settings == other.settings
        and one.extra == other.extra
        and (not children or one.children == other.children)
    )


def _only_places(before: Block, block: Block, published: Mapping[str, Block]) -> bool:
    """A container that differs only by listing drafts which exist nowhere else: their own place says as much."""
    if block.type not in DIRECT_ONLY or not _same(before, block, children=False):
        return False
    return before.children == [child for child in block.children if child in published]


def write_snapshot(
    course: Mapping[str, str],
    root: str,
    blocks: Mapping[str, Block],
    drafts: Mapping[str, Block],
    assets: Mapping[str, Json],
    files: Mapping[str, str],
) -> bytes:
    """The document, with *course* naming the course (`course_id`, `org`, `number`, `run`)."""
    document = {
        "format": FORMAT,
        **course,
        "root": root,
        "blocks": {name: _print(name, block) for name, block in blocks.items()},
        "drafts": {name: _print(name, block, placed=True) for name, block in drafts.items()},
        "assets": assets,
        "files": files,
    }
    return orjson.dumps(document)


def _print(name: str, block: Block, *, placed: bool = False) -> Json:
    printed: Json = {
        "type": block.type,
        "id": name.partition("@")[2],
        "fields": block.fields,
        "settings": block.settings,
        "children": block.children,
    }
    if block.extra:
        printed["extra"] = block.extra
    if placed:
        printed |= {"parent": block.parent, "index": block.index}
    return printed


def ordered(blocks: Mapping[str, Block], root: str) -> dict[str, Block]:
    """Depth first from the root, then what stands beside the tree, by name."""
    reached = list(_reachable(blocks, root))
    rest = sorted(blocks.keys() - set(reached))
    return {name: blocks[name] for name in (*reached, *rest)}
