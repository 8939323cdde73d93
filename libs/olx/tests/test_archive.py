"""What is read from an archive, and what is refused."""

import bz2
import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from olx.archive import read_archive, read_folder
from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.testing import COURSE, as_bytes, header_block, link, tar, tar_gz, zipped
from olx.tree import Tree

GOOD: list[tuple[str, bytes] | tarfile.TarInfo] = [(f"course/{path}", data) for path, data in as_bytes(COURSE).items()]


def read(tmp_path: Path, data: bytes, **options: Any) -> Tree:
    archive = tmp_path / "archive"
    archive.write_bytes(data)
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    return read_archive(archive, spool, **options)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("tar.gz", gzip.compress(tar(GOOD))),
        ("tar", tar(GOOD)),
        ("zip", zipped(COURSE)),
        ("two gzip members", gzip.compress(tar(GOOD)[:700]) + gzip.compress(tar(GOOD)[700:])),
        (
            "dots in the paths",
            gzip.compress(tar([(f"./course/{name}", data) for name, data in as_bytes(COURSE).items()])),
        ),
        ("no top folder", gzip.compress(tar(list(as_bytes(COURSE).items())))),
        (
            "two folders down",
            gzip.compress(tar([(f"a/b/course/{name}", data) for name, data in as_bytes(COURSE).items()])),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_of_archive_is_read(form: str, data: bytes, tmp_path: Path) -> None:
    tree = read(tmp_path, data)
    assert {path: tree.read(path) for path in tree.files} == as_bytes(COURSE)


class Pipe(io.BytesIO):
    """Not seekable, so that a member's sizes are written after its bytes."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def zip_of(out: io.BytesIO, *, zip64: bool = False, system: int = 3, separator: str = "/") -> bytes:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in as_bytes({**COURSE, "static/\u00e9t\u00e9.txt": "x"}).items():
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = f"course/{path}".replace("/", separator)
            entry.create_system = system
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=zip64) as member:
                member.write(data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("streamed", zip_of(Pipe())),
        ("in 64 bits", zip_of(io.BytesIO(), zip64=True)),
        ("streamed in 64 bits", zip_of(Pipe(), zip64=True)),
        ("of Windows", zip_of(io.BytesIO(), system=0, separator="\\")),
        # The flag that says UTF-8 is taken away, as the archiver of macOS does it.
        (
            "that does not say UTF-8",
            zip_of(io.BytesIO()).replace(b"\x14\x00\x00\x08\x08\x00", b"\x14\x00\x00\x00\x08\x00"),
        ),
        ("of macOS", zipped({**COURSE, "static/\u00e9t\u00e9.txt": "x", "__MACOSX/._a": "x"})),
        ("with a comment", zip_of(io.BytesIO())[:-2] + b"\x05\x00hello"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_of_zip_is_read(form: str, data: bytes, tmp_path: Path) -> None:
    tree = read(tmp_path, data)
    assert set(tree.files) == {*COURSE, "static/\u00e9t\u00e9.txt"}
    assert tree.read("static/\u00e9t\u00e9.txt") == b"x"


def test_a_huge_directory_is_not_read(tmp_path: Path) -> None:
    """The number of members is asked of the end record before the directory is loaded."""
    data = bytearray(zipped(COURSE))
    at = data.rfind(b"PK\x05\x06")
    data[at + 8 : at + 12] = b"\xfe\xff\xfe\xff"
    with pytest.raises(ArchiveRefused, match="too_many_members"):
        read(tmp_path, bytes(data))


def test_static_files_wait_under_their_digests(tmp_path: Path) -> None:
    tree = read(tmp_path, tar_gz({**COURSE, "static/a.txt": "same", "static/sub/b.txt": "same", "static/c": ""}))
    assert tree.files["static/a.txt"].digest == tree.files["static/sub/b.txt"].digest
    assert len(list((tmp_path / "spool").iterdir())) == 2
    assert tree.read("static/a.txt") == b"same"
    assert tree.read("static/c") == b""


def test_text_beyond_the_memory_limit_waits_in_the_spool(tmp_path: Path) -> None:
    tree = read(tmp_path, tar_gz({**COURSE, "html/x.html": "y" * 1000}), limits=Limits(memory_bytes=500))
    assert tree.files["html/x.html"].data is None
    assert tree.read("html/x.html") == b"y" * 1000


def test_long_names_are_read_in_both_dialects(tmp_path: Path) -> None:
    name = "static/" + "é" * 90 + ".txt"
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=dialect) as archive:
            for path, data in as_bytes({**COURSE, name: "x"}).items():
                header = tarfile.TarInfo(f"course/{path}")
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
        assert name in read(tmp_path, out.getvalue()).files


def test_what_systems_leave_behind_is_not_read(tmp_path: Path) -> None:
    tree = read(tmp_path, tar_gz({**COURSE, "._course.xml": "\0", "static/.DS_Store": "\0"}))
    assert set(tree.files) == set(COURSE)


def test_the_root_file_may_be_a_link_to_one_of_several_roots(tmp_path: Path) -> None:
    files = {**as_bytes(COURSE), "roots/R.xml": as_bytes(COURSE)["course.xml"]}
    del files["course.xml"]
    members = [(f"course/{path}", data) for path, data in files.items()]
    tree = read(tmp_path, tar([*members, link("course/course.xml", "roots/R.xml")]))
    assert tree.folder == "course"
    assert tree.read("course.xml") == as_bytes(COURSE)["course.xml"]
    for links in ("refuse", "skip"):
        with pytest.raises(ArchiveRefused, match="link_dangling"):
            read(tmp_path, tar([*members, link("course/course.xml", "roots/S.xml")]), links=links)


def test_backups_of_other_systems_are_told_apart(tmp_path: Path) -> None:
    moodle = {"moodle_backup.xml": "<moodle_backup/>", "course/course.xml": '<course id="2" contextid="15"/>'}
    for files in (moodle, {"imsmanifest.xml": "<manifest/>", "course_settings/course_settings.xml": "<course/>"}):
        for top in ("", "backup/"):
            with pytest.raises(ArchiveRefused, match="foreign_archive"):
                read(tmp_path, tar_gz(files, top=top))
    assert read(tmp_path, tar_gz({**COURSE, "static/scorm/imsmanifest.xml": "<manifest/>"})).files


@pytest.mark.parametrize("name", ["course/._x", "course/Icon\r", "course/__MACOSX/x", "course/static/.DS_Store"])
def test_what_systems_leave_behind_is_counted(name: str, tmp_path: Path) -> None:
    tree = read(tmp_path, tar([*GOOD, (name, b"x"), link("course/._link", "/etc/passwd")]))
    assert set(tree.files) == set(COURSE)
    assert tree.junk == 2


def test_other_packings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="bzip2"):
        read(tmp_path, bz2.compress(tar(GOOD)) + bytes(512))


def test_a_course_deeper_in_the_archive_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, tar(GOOD)).other_roots == []
    members = [*GOOD, ("backup/old/course.xml", b"<course/>")]
    assert read(tmp_path, tar(members)).other_roots == ["backup/old"]


def test_the_root_file_wanted_decides(tmp_path: Path) -> None:
    both = tar_gz({"course.xml": "<course/>", "library.xml": "<library/>"})
    assert read(tmp_path, both, root_file="library.xml").folder == "course"
    with pytest.raises(ArchiveRefused, match=r"library\.xml"):
        read(tmp_path, tar_gz(COURSE), root_file="library.xml")


# Limits.


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(members=2), "too_many_members"),
        (Limits(member_bytes=50), "member_too_large"),
        (Limits(total_bytes=120), "archive_too_large"),
        (Limits(depth=1), "name_too_long"),
        (Limits(name_bytes=10), "name_too_long"),
        (Limits(seconds=-1), "too_slow"),
        (Limits(ratio=2, ratio_free_bytes=100), "ratio_too_high"),
    ],
)
@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_each_limit_holds(limits: Limits, code: str, form: str, tmp_path: Path) -> None:
    files = {**COURSE, "static/zeros": bytes(20_000)}
    data = tar_gz(files) if form == "tar.gz" else zipped(files)
    with pytest.raises(ArchiveRefused) as refused:
        read(tmp_path, data, limits=limits)
    assert refused.value.code == code


def test_thousands_of_empty_members_are_too_many(tmp_path: Path) -> None:
    many = b"".join(header_block(f"course/{number}", 0) for number in range(3_000))
    with pytest.raises(ArchiveRefused) as refused:
        read(tmp_path, gzip.compress(many, 1), limits=Limits(members=2_500))
    assert refused.value.code == "too_many_members"


def test_a_misspelt_limit_is_an_error() -> None:
    assert Limits.from_json({"members": 3, "seconds": 2}) == Limits(members=3, seconds=2.0)
    with pytest.raises(ValueError, match="memebrs"):
        Limits.from_json({"memebrs": 3})


# Links.


@pytest.mark.parametrize(
    ("name", "target", "hard"),
    [
        ("course/static/b.txt", "a.txt", False),
        ("course/static/b.txt", "../static/./a.txt", False),
        ("course/deep/er/b.txt", "../../static/a.txt", False),
        ("course/static/b.txt", "course/static/a.txt", True),
    ],
)
def test_a_link_inside_is_read_as_a_copy(name: str, target: str, hard: bool, tmp_path: Path) -> None:
    tree = read(tmp_path, tar([*GOOD, ("course/static/a.txt", b"A"), link(name, target, hard=hard)]))
    assert tree.read(name.removeprefix("course/")) == b"A"


def test_a_link_is_followed_through_others(tmp_path: Path) -> None:
    members = [
        *GOOD,
        ("course/static/a.txt", b"A"),
        link("course/static/b.txt", "c.txt"),
        link("course/static/c.txt", "../twin/a.txt"),
        link("course/twin", "static"),
    ]
    tree = read(tmp_path, tar(members), links="skip")
    assert tree.read("static/b.txt") == b"A"
    assert [(path, code) for path, code, _ in tree.links_skipped] == [("twin", "link_directory")]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/etc/passwd", "link_outside"),
        ("../../x", "link_outside"),
        ("../../course/static/a.txt", None),
        ("nothing", "link_dangling"),
        ("..", "link_directory"),
        ("b.txt", "link_loop"),
    ],
)
def test_a_skipped_link_is_named(target: str, code: str | None, tmp_path: Path) -> None:
    data = tar([*GOOD, ("course/static/a.txt", b"A"), link("course/static/b.txt", target)])
    tree = read(tmp_path, data, links="skip")
    assert [entry[1] for entry in tree.links_skipped] == ([code] if code else [])
    assert ("static/b.txt" in tree.files) == (code is None)


def test_a_link_beside_the_course_harms_nobody(tmp_path: Path) -> None:
    tree = read(tmp_path, tar([*GOOD, link("latest", "/srv/course")]))
    assert set(tree.files) == set(COURSE)
    assert tree.ignored == 1


# A checked-out folder.


def test_a_folder_is_read_like_an_archive(tmp_path: Path) -> None:
    for path, data in as_bytes({**COURSE, ".git/config": "secret", "static/a.txt": "A"}).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "static" / "out").symlink_to("/etc/hostname")
    tree = read_folder(tmp_path)
    assert set(tree.files) == {*COURSE, "static/a.txt"}
