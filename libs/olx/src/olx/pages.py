"""Pages beside the tree: about texts, updates and handouts, static tabs, custom tag templates."""

from typing import Final

from olx.model import Block, Course, local_key
from olx.names import block_name, is_junk
from olx.report import Report
from olx.tree import Tree
from olx.values import Json, load_json

PAGE_FOLDERS: Final = {
    "about": "about",
    "info": "course_info",
    "tabs": "static_tab",
    "custom_tags": "custom_tag_template",
}


def read_pages(course: Course, tree: Tree, report: Report, used: set[str]) -> None:
    """Read each folder's own files, then those of the run's own folder, which replace them."""
    for folder, block_type in PAGE_FOLDERS.items():
        seen: dict[str, str] = {}
        for below in (folder, f"{folder}/{course.run}"):
            for path in sorted(tree.files):
                parent, _, name = path.rpartition("/")
                if parent != below or is_junk(path):
                    continue
                used.add(path)
                if name.endswith("~"):
                    report.add("backup_ignored", f"{path} is an editor's backup", file=path, action="ignored")
                    continue
                _read_page(course, block_type, path, tree, report, seen)


def _read_page(course: Course, block_type: str, path: str, tree: Tree, report: Report, seen: dict[str, str]) -> None:
    name, dot, extension = path.rpartition("/")[2].rpartition(".")
    if not dot:
        name, extension = extension, ""
    if extension == "json":
        value, field = _read_json(tree.read(path)), name.rpartition(".")[2]
        name = name.rpartition(".")[0]
        if value == _BROKEN or not name:
            report.add("extra_field_broken", f"{path} cannot be read", file=path, action="dropped")
            return
    else:
        field = "data"
        text = _read_text(tree.read(path))
        value = text
        if text is None:
            report.add("not_utf8", f"{path} is not UTF-8 text", file=path, action="dropped")
            return
    block_id = block_name(name)
    if block_id != name:
        report.add("name_cleaned", f"{path} is called {block_id!r} here", file=path, action="cleaned")
    key = local_key(block_type, block_id)
    if f"{key}.{field}" in seen:
        message = f"{path} replaces {seen[f'{key}.{field}']}"
        report.add("extra_replaced", message, file=path, action="replaced")
    seen[f"{key}.{field}"] = path
    course.blocks.setdefault(key, Block(block_type, block_id)).fields[field] = value


_BROKEN: Final = "\0broken"


def _read_text(data: bytes) -> str | None:
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _read_json(data: bytes) -> Json:
    value = load_json(data.removeprefix(b"\xef\xbb\xbf"))
    return value if value is not None or data.strip() == b"null" else _BROKEN


def tab_settings(course: Course, slug: str) -> dict[str, Json]:
    """What the course's list of tabs says about one static tab."""
    tabs = course.blocks[course.root].settings.get("tabs")
    settings: dict[str, Json] = {}
    for tab in tabs if isinstance(tabs, list) else []:
        if isinstance(tab, dict) and tab.get("type") == "static_tab" and tab.get("url_slug") == slug:
            if isinstance(tab.get("name"), str):
                settings["display_name"] = tab["name"]
            if isinstance(tab.get("course_staff_only"), bool):
                settings["course_staff_only"] = tab["course_staff_only"]
    return settings


def name_tabs(course: Course) -> None:
    """Give static tabs the names the list of tabs has for them, and the list the slugs that pages have here."""
    tabs = course.blocks[course.root].settings.get("tabs")
    for tab in tabs if isinstance(tabs, list) else []:
        slug = tab.get("url_slug") if isinstance(tab, dict) else None
        if isinstance(tab, dict) and isinstance(slug, str) and local_key("static_tab", slug) not in course.blocks:
            renamed = block_name(slug) if slug else ""
            if local_key("static_tab", renamed) in course.blocks:
                tab["url_slug"] = renamed
    for block in course.blocks.values():
        if block.type == "static_tab":
            block.settings = {**tab_settings(course, block.id), **block.settings}
