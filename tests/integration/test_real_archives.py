"""Each archive other people made, read by us and by a plain second reading that knows nothing of ours."""

import hashlib
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import independent_outline as independent
import pytest
from api import Client, export_course, import_course
from independent_olx import inner_of, same_value

from olx.model import Course
from olx.reader import read_course_archive
from olx.report import Report

pytestmark = pytest.mark.bonus
FOLDER = Path(__file__).parents[3] / "shared" / "courses"
LIBRARY = "openedx-demo-library"
NAMES = [
    "latex2edx-demo",
    "mitx-grading-library",
    "openedx-demo-course",
    LIBRARY,
    "oxa-kitchen-sink",
    "upstream-import_draft_order",
    "upstream-simple",
    "upstream-test_unicode",
    "upstream-toy",
    "upstream-xml_dag",
]


@pytest.fixture(params=NAMES)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[independent.Reading, Course, Report]:
    path = FOLDER / f"{request.param}.tar.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    course, report = read_course_archive(path, tmp_path, links="skip")
    return independent.read(path.read_bytes()), course, report


def test_a_plain_reading_says_the_same(both: tuple[independent.Reading, Course, Report]) -> None:
    reading, course, report = both
    assert (course.org, course.number, course.run) == reading.identity
    same_tree(reading.root, course.root, course)
    folders = {"about": "about", "info": "course_info", "tabs": "static_tab"}
    pages = {key for key in course.blocks if key.partition("@")[0] in folders.values()}
    assert len(pages) == len(reading.pages)
    assert set(course.drafts) == reading.drafts
    assert {asset.import_path: asset.digest for asset in course.assets.values()} == reading.static
    assert report.codes["file_missing"] == len(reading.missing)
    assert {entry.file for entry in report.entries if entry.code == "orphan_file"} == reading.orphans


def test_no_block_is_there_that_a_plain_reading_does_not_see(
    both: tuple[independent.Reading, Course, Report],
) -> None:
    reading, course, _ = both
    detached = {"about", "course_info", "static_tab", "custom_tag_template"}
    blocks = [key for key in course.blocks if key.partition("@")[0] not in detached]
    named = {f"{node.tag}@{node.name}" for node in independent.nodes(reading.root) if node.name is not None}
    unnamed = sum(node.name is None for node in independent.nodes(reading.root))
    assert len(blocks) == len(named) + unnamed


def same_tree(node: independent.Node, key: str, course: Course) -> None:
    block = course.blocks[key]
    assert block.type == node.tag
    if key == course.root:
        assert block.id == course.kind
    elif node.name is None:
        assert block.id.startswith(f"{node.tag}_")
    else:
        assert block.id == node.name
    own = {name: value for name, value in block.settings.items() if name not in ("wiki_slug", "textbooks")}
    written = {name: value for name, value in node.settings.items() if name not in block.xml_attributes}
    ignored = {"data_dir", "slug", *(() if key == course.root else ("tabs",))}
    assert set(own) == set(written) - ignored, key
    for name, value in own.items():
        assert value == written[name] or same_value(str(written[name]), value), (key, name)
    if node.tag == "html":
        assert node.text is None or block.fields == {"data": node.text}
    elif not block.children:
        data = str(block.fields.get("data", ""))
        found = children_of(data) if node.tag == "problem" else inner_of(data)
        assert found == node.inner, key
    assert len(block.children) == len(node.children), key
    for child, below in zip(node.children, block.children, strict=True):
        same_tree(child, below, course)


def children_of(data: str) -> list[str]:
    """The child elements of a problem, which is stored with its own element."""
    return [independent.canonical(child) for child in ET.fromstring(data)]


async def test_every_archive_goes_in_and_comes_out_and_goes_in_unchanged(admin: Client) -> None:
    """Export, import of the export, export: the second import makes no version, and the bytes are the same."""
    for name in NAMES:
        path = FOLDER / f"{name}.tar.gz"
        if not path.exists():
            pytest.skip(f"{path} is not here")
        number = uuid.uuid4().hex[:8]
        key = f"library-v1:RealX+{number}" if name == LIBRARY else f"course-v1:RealX+{number}+R"
        task = await import_course(admin, key, path.read_bytes(), links="skip")
        report = await admin.json(f"/api/v0/tasks/{task['task_id']}/report")
        counts = independent.read(path.read_bytes())
        assert report["counts"]["assets"] == len(counts.static), name
        first = await export_course(admin, key)
        again = await import_course(admin, key, first)
        assert again["draft_version"] == task["draft_version"], name
        report = await admin.json(f"/api/v0/tasks/{again['task_id']}/report")
        assert report["counts"]["errors"] == 0, name
        assert await export_course(admin, key) == first, name


async def test_a_library_that_comes_out_goes_in_elsewhere_as_it_was(admin: Client) -> None:
    """By a reading that is not ours; and back again, which makes no version."""
    path = FOLDER / f"{LIBRARY}.tar.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    packed = path.read_bytes()
    here, there = (f"library-v1:RealX+{uuid.uuid4().hex[:8]}" for _ in range(2))
    task = await import_course(admin, here, packed)
    assert (await import_course(admin, here, packed))["draft_version"] == task["draft_version"]
    first = await export_course(admin, here)
    await import_course(admin, there, first)
    moved = await export_course(admin, there)
    before, after = independent.read(packed), independent.read(moved)
    assert after.identity == ("RealX", there.rpartition("+")[2], "library")
    assert after.root == before.root
    assert (after.static, after.missing, after.orphans) == (before.static, [], set())
    assert (await import_course(admin, here, moved))["draft_version"] == task["draft_version"]
    assert await export_course(admin, here) == first
    for key in (here, there):
        assert (await admin.get(f"/api/courses/v1/courses/{key}")).status_code == 404


def test_the_second_reading_sees_what_is_there() -> None:
    """A reading that saw nothing would agree with anything."""
    digests = set()
    for name in NAMES:
        path = FOLDER / f"{name}.tar.gz"
        if not path.exists():
            pytest.skip(f"{path} is not here")
        reading = independent.read(path.read_bytes())
        outline = [(node.tag, node.name, sorted(node.settings)) for node in independent.nodes(reading.root)]
        assert len(outline) > 5
        digests.add(hashlib.sha256(repr(outline).encode()).hexdigest())
    assert len(digests) == len(NAMES)
