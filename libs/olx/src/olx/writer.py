"""From a course to an archive whose bytes depend on nothing but the course."""

import json
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import IO, Final

from common.keys import CourseKey, UsageKey, clean_asset_name
from olx.assets import other_name
from olx.elements import pointer, write_block
from olx.errors import ArchiveRefused, UnwritableBlock
from olx.limits import Limits
from olx.model import DETACHED_TYPES, Asset, Block, Course
from olx.names import clean_path, is_junk
from olx.pages import PAGE_FOLDERS, tab_settings
from olx.snapshot import from_snapshot
from olx.tags import NEVER_SETTINGS
from olx.tar_writer import GzippedTar, Sink
from olx.values import Json

OpenAsset = Callable[[str], IO[bytes]]

_FOLDER_OF: Final = {block_type: folder for folder, block_type in PAGE_FOLDERS.items()}
_POLICY_ONLY: Final = NEVER_SETTINGS | {"discussion_topics", "textbooks", "wiki_slug"}


def write_archive(snapshot: Mapping[str, Json] | Course, open_asset: OpenAsset, out: Sink) -> None:
    """Write a gzipped tar: members sorted, times, owners and modes fixed, assets copied piece by piece.

    `open_asset` is given a digest and returns a stream of the asset's bytes, which is closed after use.
    """
    course = snapshot if isinstance(snapshot, Course) else from_snapshot(snapshot)
    members: dict[str, bytes | Asset] = {**course_files(course), **asset_files(course)}
    with GzippedTar(out) as tar:
        for path, content in sorted(members.items(), key=lambda member: member[0]):
            if isinstance(content, Asset):
                with open_asset(content.digest) as stream:
                    tar.add(f"{course.kind}/{path}", content.size, stream)
            else:
                tar.add_text(f"{course.kind}/{path}", content)


def course_files(course: Course) -> dict[str, bytes]:
    """Every file of the archive but the static ones: path below the course's folder, and bytes."""
    files: dict[str, str] = {}
    reached = _reachable(course)
    for key in reached:
        if key != course.root:
            _write_definition(course.blocks[key], "", files, course.blocks)
    if course.kind == "course":
        _write_course_root(course, files)
        _write_pages(course, reached, files)
        _write_drafts(course, files)
    else:
        _write_library_root(course, files)
    files.setdefault("assets/assets.xml", "<assets/>\n")
    files.update(course.files)
    files["policies/assets.json"] = _pretty(_asset_policy(course))
    return {_checked(path): text.encode() for path, text in files.items()}


def asset_files(course: Course) -> dict[str, Asset]:
    return {_checked(f"static/{path}"): course.assets[name] for name, path in asset_paths(course).items()}


def asset_paths(course: Course) -> dict[str, str]:
    """Where each asset lies below `static/`: where it came from, if it then gets its name again when read."""
    paths: dict[str, str] = {}
    taken: set[str] = set()
    for name, asset in sorted(course.assets.items()):
        path = asset.import_path or asset.displayname
        flat = clean_asset_name(path)
        fits = flat == name or (flat in course.assets and other_name(path) == name)
        if not fits or path in taken or is_junk(path) or "\\" in path or path.endswith("~"):
            path = name
        taken.add(path)
        paths[name] = path
    return paths


def _reachable(course: Course) -> list[str]:
    """The blocks of the tree, from the root down."""
    reached: dict[str, None] = {}
    waiting = [course.root]
    while waiting:
        key = waiting.pop()
        if key not in reached and key in course.blocks:
            reached[key] = None
            waiting.extend(reversed(course.blocks[key].children))
    return list(reached)


def _write_definition(
    block: Block,
    folder: str,
    files: dict[str, str],
    blocks: Container[str],
    *,
    place: list[tuple[str, str]] | None = None,
) -> None:
    path = f"{folder}{block.type}/{block.id.replace(':', '/')}"
    if not all(child in blocks for child in block.children):
        block = replace(block, children=[child for child in block.children if child in blocks])
    written = write_block(block, place=place)
    files[f"{path}.xml"] = written.definition
    if written.text is not None:
        files[f"{path}.html"] = written.text


def _write_course_root(course: Course, files: dict[str, str]) -> None:
    root = course.blocks[course.root]
    settings = root.settings
    run = _run_in_archive(course)
    identity = f'url_name="{run}" org="{course.org}" course="{course.number}"'
    files["course.xml"] = f"<course {identity}/>\n"
    fields = dict(root.fields)
    grading = fields.get("grading_policy")
    if isinstance(grading, dict):
        files[f"policies/{run}/grading_policy.json"] = _pretty(fields.pop("grading_policy"))
    children = [child for child in root.children if child in course.blocks]
    shown = Block("course", run, fields, settings, children, root.xml_attributes)
    definition = write_block(shown, only=frozenset(settings) - _POLICY_ONLY).definition
    files[f"course/{run.replace(':', '/')}.xml"] = _with_properties(definition, settings)
    # Alone, the old setting `name` of a policy is read as the display name.
    is_shown = "display_name" in settings
    policy: dict[str, Json] = {
        f"course/{run}": {name: value for name, value in settings.items() if is_shown or name != "name"}
    }
    for block in course.blocks.values():
        if block.type in DETACHED_TYPES:
            implied = tab_settings(course, block.id) if block.type == "static_tab" else {}
            own = {name: value for name, value in block.settings.items() if implied.get(name, _NOTHING) != value}
            if own:
                policy[f"{block.type}/{block.id}"] = own
    files[f"policies/{run}/policy.json"] = _pretty(policy)


_NOTHING: Final = object()


def _with_properties(definition: str, settings: dict[str, Json]) -> str:
    """Add the children that describe the course itself: its textbooks and its wiki."""
    books = settings.get("textbooks")
    lines = [
        f'<textbook title="{_attribute(str(book[0]))}" book_url="{_attribute(str(book[1]))}"/>'
        for book in (books if isinstance(books, list) else [])
        if isinstance(book, list) and len(book) == 2
    ]
    slug = settings.get("wiki_slug")
    if isinstance(slug, str) and slug:
        lines.append(f'<wiki slug="{_attribute(slug)}"/>')
    if not lines:
        return definition
    inside = "".join(f"  {line}\n" for line in lines)
    if definition.endswith("/>\n"):
        return f"{definition[:-3]}>\n{inside}</course>\n"
    return f"{definition.removesuffix('</course>' + chr(10))}{inside}</course>\n"


def _write_library_root(course: Course, files: dict[str, str]) -> None:
    definition = write_block(course.blocks[course.root]).definition
    identity = f'url_name="library" org="{course.org}" library="{course.number}"'
    files["library.xml"] = definition.replace("<library", f"<library {identity}", 1)


def _write_pages(course: Course, reached: list[str], files: dict[str, str]) -> None:
    in_tree = set(reached)
    for key, block in course.blocks.items():
        if block.type not in DETACHED_TYPES or key in in_tree:
            continue
        folder = _FOLDER_OF[block.type]
        for name, value in block.fields.items():
            if name == "data" and isinstance(value, str):
                files[f"{folder}/{block.id}{_page_suffix(block)}"] = value
            elif name.isidentifier():
                files[f"{folder}/{block.id}.{name}.json"] = _pretty(value)
            else:
                raise UnwritableBlock(key, f"its field {name!r} cannot be part of a file name")


def _page_suffix(block: Block) -> str:
    if block.type != "custom_tag_template":
        return ".html"
    return ".xml" if "." in block.id or block.id.endswith("~") else ""


def _write_drafts(course: Course, files: dict[str, str]) -> None:
    known = course.blocks.keys() | course.drafts.keys()
    listed = {child for draft in course.drafts.values() for child in draft.block.children}
    for key, draft in sorted(course.drafts.items()):
        if key in listed and draft.parent in course.drafts:
            continue
        place = _place_of(draft.parent, draft.index, course)
        _write_definition(draft.block, "drafts/", files, known, place=place)
        waiting = list(draft.block.children)
        while waiting:
            child = waiting.pop()
            below = course.drafts[child].block if child in course.drafts else course.blocks.get(child)
            if below is not None and f"drafts/{_definition_path(below)}" not in files:
                _write_definition(below, "drafts/", files, known)
                waiting.extend(below.children)


def _definition_path(block: Block) -> str:
    return f"{block.type}/{block.id.replace(':', '/')}.xml"


def _place_of(parent: str | None, index: int, course: Course) -> list[tuple[str, str]]:
    place = [("index_in_children_list", str(index))]
    if parent is not None:
        parent_type, _, parent_id = parent.partition("@")
        if parent == course.root:
            parent_id = _run_in_archive(course)
        key = UsageKey(CourseKey(course.org, course.number, course.run), parent_type, parent_id)
        place.append(("parent_url", key.i4x))
    return place


def _asset_policy(course: Course) -> dict[str, Json]:
    key = CourseKey(course.org, course.number, _run_in_archive(course), course.kind)
    paths = asset_paths(course)
    return {
        name: {
            **asset.extra,
            "contentType": asset.content_type,
            "displayname": asset.displayname,
            "filename": str(key.asset(name)),
            "import_path": paths[name],
            "locked": asset.locked,
        }
        for name, asset in course.assets.items()
    }


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _attribute(text: str) -> str:
    return pointer("x", text)[len('<x url_name="') : -len('"/>')]


def _checked(path: str) -> str:
    """A path our own reader takes, so that no archive leaves that could not come back."""
    try:
        is_clean = clean_path(path, Limits()) == path and not is_junk(path)
    except ArchiveRefused:
        is_clean = False
    if not is_clean:
        raise UnwritableBlock(path, "it cannot be the path of a file in an archive")
    return path


def _run_in_archive(course: Course) -> str:
    """The run as the archive spells it: `course`, as old archives do, where the run itself can be no path."""
    parts = course.run.split(":")
    return "course" if any(part in ("", ".", "..") for part in parts) or is_junk("/".join(parts)) else course.run
