"""From the files of a course to the course, with a report of everything that was not taken as it stands."""

from collections import Counter
from pathlib import Path
from typing import Final

from common.keys import clean_name
from olx.archive import LinkRule, RootFile, read_archive
from olx.assets import read_assets
from olx.definitions import BlockReader, Definition, is_empty, is_pointer
from olx.drafts import read_drafts
from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.links import check_links
from olx.model import DETACHED_TYPES, Course, Kind
from olx.pages import PAGE_FOLDERS, name_tabs, read_pages
from olx.policies import read_policies
from olx.report import Report
from olx.safe_xml import BrokenXml, Element, line_of, parse_xml
from olx.tags import LEAVES, STRUCTURAL
from olx.tree import Tree

KEPT_FILES: Final = ("tags.csv", "assets/assets.xml")


def read_course_archive(
    archive: Path,
    spool: Path,
    *,
    limits: Limits | None = None,
    links: LinkRule = "refuse",
    kind: Kind | None = None,
    report: Report | None = None,
) -> tuple[Course, Report]:
    """Read an archive; its static files stay in `spool` under their digests.

    A refusal leaves `report` as far as it got.
    """
    limits = limits or Limits()
    report = Report() if report is None else report
    root_file: RootFile | None = None if kind is None else ("course.xml" if kind == "course" else "library.xml")
    tree = read_archive(archive, spool, limits=limits, links=links, root_file=root_file)
    return read_course(tree, report, limits), report


def read_course(tree: Tree, report: Report, limits: Limits) -> Course:
    used: set[str] = set()
    for path, code, message in tree.links_skipped:
        report.add("link_skipped", f"{message} ({code})", file=path, action="ignored")
    if tree.junk:
        message = f"{tree.junk} files that an operating system left in the archive"
        report.add("junk_ignored", message, action="ignored")
    _report_case_twins(tree, report)
    for folder in tree.other_roots:
        report.add("other_root", f"Another course lies in {folder}", file=folder, action="ignored")
    kind: Kind = "course" if "course.xml" in tree.files else "library"
    root_file = f"{kind}.xml"
    used.add(root_file)
    element = _parse_root(tree, root_file, limits)
    course = _read_identity(element, kind, root_file, tree, report)
    reader = BlockReader(tree, report, limits, used=used)
    _read_root(element, course, reader, root_file)
    course.blocks = reader.blocks
    if kind == "course":
        read_pages(course, tree, report, used)
        read_policies(course, tree, report, used)
        name_tabs(course)
        drafts = BlockReader(tree, report, limits, folder="drafts/", published=reader, used=used, broken=reader.broken)
        read_drafts(course, drafts, report)
    course.assets = read_assets(tree, report, used)
    check_links(course, report, reader.places)
    _keep_files(course, tree, used)
    _report_unused(course, tree, report, used)
    detached = sum(block.type in DETACHED_TYPES for block in course.blocks.values())
    report.close(
        blocks=len(course.blocks) - detached,
        pages=detached,
        drafts=len(course.drafts),
        assets=len(course.assets),
        files=len(tree.files),
    )
    return course


def _report_case_twins(tree: Tree, report: Report) -> None:
    seen: dict[str, str] = {}
    for path in sorted(tree.files):
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            report.add("case_twins", f"{path} and {other} differ only in capital letters", file=path)


def _parse_root(tree: Tree, path: str, limits: Limits) -> Element:
    if path not in tree.files:
        raise ArchiveRefused("root_broken", f"{path} is missing, though the root file points at it.", path)
    try:
        return parse_xml(tree.read(path), limits)
    except BrokenXml as broken:
        code = "root_doctype" if broken.code == "xml_doctype" else "root_broken"
        where = f"{path}:{broken.line}" if broken.line else path
        raise ArchiveRefused(code, f"{path} cannot be read: {broken.message}", where) from broken


def _read_identity(element: Element, kind: Kind, path: str, tree: Tree, report: Report) -> Course:
    if element.tag != kind:
        raise ArchiveRefused("root_broken", f"The root element of {path} is <{element.tag}>, not <{kind}>.", path)
    org = element.get("org")
    if not org:
        report.add("root_no_org", "The root element names no organization", file=path)
    number = element.get("course" if kind == "course" else "library")
    if not number:
        report.add("root_no_course", "The root element names no course number", file=path)
    if kind == "library":
        return Course(kind, org or "", number or "", "library", "library@library")
    run = element.get("url_name")
    if not run:
        run = element.get("slug") or clean_name(element.get("name") or "")
        if not run:
            raise ArchiveRefused("root_no_run", "The root element has neither url_name nor slug nor name.", path)
        report.add("root_old_name", f"The run is called {run!r} after an old attribute", file=path)
    return Course(kind, org or "edx", number or tree.folder, run, "course@course")


def _read_root(element: Element, course: Course, reader: BlockReader, path: str) -> None:
    reader.note_comments(element.itersiblings(preceding=True), path)
    if is_pointer(element):
        path = f"{course.kind}/{course.run.replace(':', '/')}.xml"
        element = _parse_root(reader.tree, path, reader.limits)
        reader.note_comments(element.itersiblings(preceding=True), path)
        reader.used.add(path)
    elif (
        is_empty(element) and (path_of_run := f"{course.kind}/{course.run.replace(':', '/')}.xml") in reader.tree.files
    ):
        message = f"The root element has more attributes than its name, so {path_of_run} is not read"
        reader.report.add("possible_pointer", message, file=path, line=line_of(element))
    for attribute in ("url_name", "org", course.kind, "library"):
        if course.kind == "library" and attribute in element.attrib:
            del element.attrib[attribute]
    try:
        reader.read_block(Definition(course.kind, course.kind, element, path, path))
    except BrokenXml as broken:
        raise ArchiveRefused("root_broken", broken.message, path) from broken


def _keep_files(course: Course, tree: Tree, used: set[str]) -> None:
    for path in KEPT_FILES:
        if path not in tree.files:
            continue
        used.add(path)
        data = tree.read(path)
        is_bare = path.endswith(".xml") and data.split(b"?>")[-1].strip() in (b"<assets/>", b"<assets></assets>")
        if not is_bare and b"\0" not in data:
            course.files[path] = data.decode("utf-8", "replace")


def _report_unused(course: Course, tree: Tree, report: Report, used: set[str]) -> None:
    """Name the definition files nobody points at one by one, and everything else by folder."""
    ignored: Counter[str] = Counter()
    types = STRUCTURAL | LEAVES | {block.type for block in course.blocks.values()} | {"drafts"}
    for path in sorted(set(tree.files) - used):
        top, _, below = path.partition("/")
        is_definition = path.endswith(".xml") or (top == "html" and path.endswith(".html"))
        if below and is_definition and top in types:
            report.add("orphan_file", f"No block points at {path}", file=path, action="ignored")
        elif top in PAGE_FOLDERS or not below:
            report.add("file_ignored", f"{path} is no part of a course", file=path, action="ignored")
        else:
            ignored[top] += 1
    for folder, count in sorted(ignored.items()):
        message = f"{count} files in {folder}/ are no part of a course"
        report.add("file_ignored", message, file=f"{folder}/", action="ignored")
    if tree.ignored:
        message = f"{tree.ignored} files beside the course's folder are no part of it"
        report.add("file_ignored", message, action="ignored")
