"""A sound course with pieces of it broken at random: read with a report or refused, never anything else.

And whatever was read comes back from export and import as it is.
"""

import random
import re
from pathlib import Path

import pytest

from common.keys import CourseKey
from olx.archive import read_folder
from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.reader import read_course
from olx.report import Report
from olx.round_trip import round_trip
from olx.snapshot import to_snapshot
from olx.tree import File, Tree

SAMPLE = Path(__file__).parents[2] / "deploy/local/sample-course"
PIECES = [
    b"<", b">", b"&", b"]]>", b"<!-- x -->", b"<?pi?>", b"\x00", b"\xff", b"\r\n", b'url_name=""', b' url_name="a:b"',
    b' filename="x"', b' slug="z"', b"<html/>", b"<vertical/>", b'<problem url_name="p"/>', b"<wiki/>", b"<textbook/>",
    b'<course url_name="R"/>', b"<meta>{}</meta>", b"<show sources='a;b'/>", b'<x:y xmlns:x="u"/>', b"{", b"}", b",",
    b"null", b'"a":1e999,', b'{"name":5},', b' display_name="\xe2\x98\x83"', b' xmlns="urn:q"', b"text",
    b' a="&#10;"', b"<![CDATA[x]]>", b"/jump_to_id/x ", b"/static/../x ",
]  # fmt: skip
VALUES = [b"", b"true", b"5", b"null", b"[1]", b"../x", b"a b", b"\xc3\xa9", b"&quot;x&quot;", b"....", b"a::b"]
PLACES = ["about/a.html", "info/a.json", "tabs/b.x.json", "drafts/html/x.xml", "static/x.xml", "custom_tags/t", "x"]


def mutated(files: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    files = dict(files)
    for _ in range(chance.randint(1, 6)):
        path = chance.choice(sorted(files))
        data = files[path]
        at = chance.randint(0, len(data))
        match chance.randint(0, 6):
            case 0:
                del files[path]
            case 1:
                files[path] = data[:at]
            case 2 | 3:
                files[path] = data[:at] + chance.choice(PIECES) + data[at:]
            case 4:
                files[path] = files[chance.choice(sorted(files))]
            case 5:
                files[chance.choice(PLACES)] = data
            case _:
                if found := list(re.finditer(rb'([\w-]+=")[^"]*(")', data)):
                    match = chance.choice(found)
                    files[path] = data[: match.end(1)] + chance.choice(VALUES) + data[match.start(2) :]
    return files


def outcome(files: dict[str, bytes]) -> str:
    tree = Tree(Path("/nowhere"), {path: File(len(data), data) for path, data in files.items()}, folder="course")
    try:
        course = read_course(tree, Report(), Limits())
    except ArchiveRefused:
        return "refused"
    found = round_trip(to_snapshot(course, CourseKey("A", "B", "C", course.kind)))
    return "equal" if found.is_equal else f"differs: {found.to_json()}"


def run(seeds: range) -> None:
    tree = read_folder(SAMPLE)
    files = {path: tree.read(path) for path in tree.files}
    assert outcome(files) == "equal"
    for seed in seeds:
        try:
            found = outcome(mutated(files, random.Random(seed)))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        assert found in ("refused", "equal"), f"seed {seed}: {found[:2000]}"


def test_a_course_broken_at_random_is_read_or_refused() -> None:
    run(range(60))


@pytest.mark.torture
def test_thousands_of_courses_broken_at_random_are_read_or_refused() -> None:
    run(range(1000, 3000))
