"""Archives other people made: a bonus where they are at hand. The course is read a second time here, by other means."""

import io
import json
import os
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from common.keys import CourseKey
from olx.parser_process import ParserProcess
from olx.reader import read_course_archive
from olx.snapshot import from_snapshot, to_snapshot
from olx.writer import write_archive

pytestmark = pytest.mark.bonus

NAMES = [
    "latex2edx-demo",
    "mitx-grading-library",
    "openedx-demo-course",
    "openedx-demo-library",
    "oxa-kitchen-sink",
    "upstream-import_draft_order",
    "upstream-simple",
    "upstream-test_unicode",
    "upstream-toy",
    "upstream-xml_dag",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_real_course_survives_export_and_import(name: str, real_courses: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    course, _ = read_course_archive(real_courses / f"{name}.tar.gz", first, links="skip")
    snapshot = to_snapshot(course, CourseKey(course.org, course.number, course.run, course.kind))
    assert from_snapshot(snapshot) == course
    out = io.BytesIO()
    write_archive(snapshot, lambda digest: (first / digest).open("rb"), out)
    (tmp_path / "again.tar.gz").write_bytes(out.getvalue())
    again, report = read_course_archive(tmp_path / "again.tar.gz", second)
    assert again == course
    assert report.counts["errors"] == 0
    out_again = io.BytesIO()
    write_archive(again, lambda digest: (second / digest).open("rb"), out_again)
    assert out_again.getvalue() == out.getvalue()


def test_the_demo_course_is_read_as_a_plain_reading_of_its_xml_says(real_courses: Path, tmp_path: Path) -> None:
    course, report = read_course_archive(real_courses / "openedx-demo-course.tar.gz", tmp_path)
    with tarfile.open(real_courses / "openedx-demo-course.tar.gz") as archive:
        files = {
            member.name.removeprefix("course/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
            if member.isfile()
        }
    seen: dict[str, ET.Element] = {}
    order: dict[str, list[str]] = {}

    def walk(element: ET.Element) -> str:
        name = element.get("url_name")
        if set(element.attrib) == {"url_name"} and not len(element):
            element = ET.fromstring(files[f"{element.tag}/{name}.xml"])
        key = f"{element.tag}@{name}"
        seen[key] = element
        if element.tag in ("course", "chapter", "sequential", "vertical", "library_content"):
            order[key] = [walk(child) for child in element if child.tag != "wiki"]
        return key

    root = ET.fromstring(files["course/DemoCourse.xml"])
    order["course@course"] = [walk(child) for child in root if child.tag != "wiki"]
    tree = {key: block for key, block in course.blocks.items() if block.type not in ("about", "course_info")}
    assert len(tree) == len(seen) + 1 == report.counts["blocks"] == 401
    assert {key: block.children for key, block in tree.items() if block.children or key in order} == order
    for key, element in seen.items():
        block = tree[key]
        written = {
            name: text for name, text in element.attrib.items() if name not in ("url_name", "filename", "xblock-family")
        }
        assert set(block.settings) == set(written)
        for name, text in written.items():
            value = block.settings[name]
            assert text == value or json.loads(text.lower() if isinstance(value, bool) else text) == value
        if element.tag == "html":
            assert block.fields == {"data": files[f"html/{element.get('filename')}.html"].decode()}
    policy = json.loads(files["policies/DemoCourse/policy.json"])["course/DemoCourse"]
    assert {name: tree["course@course"].settings[name] for name in policy} == policy
    assert len(course.assets) == report.counts["assets"] == 124
    assert {asset.import_path: (tmp_path / asset.digest).read_bytes() for asset in course.assets.values()} == {
        path.removeprefix("static/"): data for path, data in files.items() if path.startswith("static/")
    }
    assert report.counts["errors"] == report.counts["warnings"] == 0


async def test_the_demo_course_takes_half_a_second_of_one_processor(real_courses: Path, tmp_path: Path) -> None:
    parser = ParserProcess()
    await parser.start()
    try:
        taken = []
        for _ in range(3):
            before = seconds_of(parser)
            answer = await parser.parse(
                real_courses / "openedx-demo-course.tar.gz", tmp_path, course_id="course-v1:OpenedX+DemoX+DemoCourse"
            )
            taken.append(seconds_of(parser) - before)
            assert answer.ok
    finally:
        await parser.stop()
    assert min(taken) < 0.75


def seconds_of(parser: ParserProcess) -> float:
    """Processor time the process has used, whatever else the machine does."""
    fields = Path(f"/proc/{parser.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("name", "code"), [("latex2edx-demo", "link_directory"), ("mitx-grading-library", "link_outside")]
)
async def test_two_archives_need_their_links_skipped(name: str, code: str, real_courses: Path, tmp_path: Path) -> None:
    parser = ParserProcess()
    try:
        archive = real_courses / f"{name}.tar.gz"
        assert (await parser.parse(archive, tmp_path, course_id="course-v1:A+B+C")).code == code
        assert (await parser.parse(archive, tmp_path, course_id="course-v1:A+B+C", links="skip")).ok
    finally:
        await parser.stop()
