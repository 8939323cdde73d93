"""For tests: small archives, made file by file, and the set of bad ones every reader of archives must refuse."""

import gzip
import hashlib
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from olx.limits import Limits
from olx.model import Course
from olx.reader import read_course
from olx.report import Report
from olx.tree import File, Tree

Files = Mapping[str, str | bytes]

COURSE: Final[Files] = {
    "course.xml": '<course url_name="R" org="O" course="C"/>',
    "course/R.xml": '<course display_name="Small"/>',
    "policies/R/policy.json": "{}",
}
_MIB: Final = 1 << 20


def as_bytes(files: Files) -> dict[str, bytes]:
    return {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}


def read_files(files: Files, *, limits: Limits | None = None) -> tuple[Course, Report]:
    """Read a course given as paths and texts, without any archive."""
    report = Report()
    tree = Tree(
        Path("/nowhere"), {path: File(len(data), data) for path, data in as_bytes(files).items()}, folder="course"
    )
    return read_course(tree, report, limits or Limits()), report


def read_body(definition: str, files: Files | None = None) -> tuple[Course, Report]:
    """Read a course whose root element has this inside."""
    return read_files({**COURSE, "course/R.xml": f"<course>{definition}</course>", **(files or {})})


def tar_gz(files: Files, *, top: str = "course/") -> bytes:
    return gzip.compress(tar([(f"{top}{path}", data) for path, data in as_bytes(files).items()]), 1)


def tar(members: Sequence[tuple[str, bytes] | tarfile.TarInfo], *, end: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                header = tarfile.TarInfo(member[0])
                header.size = len(member[1])
                archive.addfile(header, io.BytesIO(member[1]))
        written = archive.offset
    return out.getvalue() if end else out.getvalue()[:written]


def link(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    header.linkname = target
    return header


def _special(name: str, kind: bytes) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = kind
    return header


def header_block(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    header.type = kind
    return header.tobuf(tarfile.GNU_FORMAT)[-tarfile.BLOCKSIZE :]


@dataclass(frozen=True, slots=True)
class BadArchive:
    """An archive no reader may take, and why."""

    name: str
    code: str
    make: Callable[[], bytes]


def _course_with(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    good: list[tuple[str, bytes] | tarfile.TarInfo] = [
        (f"course/{path}", data) for path, data in as_bytes(COURSE).items()
    ]
    return gzip.compress(tar([*good, *members]), 1)


def _root(text: str) -> bytes:
    return tar_gz({**COURSE, "course.xml": text})


def _pax(records: dict[str, str]) -> bytes:
    header = tarfile.TarInfo("x")
    body = header.create_pax_header({**header.get_info(), "name": "x"}, "utf-8")
    del body
    text = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode()
        length = len(record) + len(str(len(record)))
        length = len(record) + len(str(length))
        text += str(length).encode() + record
    padded = text + b"\0" * (-len(text) % tarfile.BLOCKSIZE)
    return header_block("pax", len(text), tarfile.XHDTYPE) + padded


def _zip(files: Files, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, data in as_bytes(files).items():
            archive.writestr(f"course/{path}", data)
    return out.getvalue()


def _zip_link() -> bytes:
    out = io.BytesIO(_zip(COURSE))
    with zipfile.ZipFile(out, "a") as archive:
        entry = zipfile.ZipInfo("course/static/passwd")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return out.getvalue()


def _zip_encrypted() -> bytes:
    data = bytearray(_zip(COURSE, method=zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(magic)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(magic, at + 4)
    return bytes(data)


def _zip_renamed_inside() -> bytes:
    return _zip(COURSE).replace(b"course/course/R.xml", b"course/course/S.xml", 1)


def _zip_overlapping() -> bytes:
    """Two entries of the directory share one member's bytes."""
    data = bytearray(_zip({"course.xml": COURSE["course.xml"], "policies.xml": "<a/>"}, method=zipfile.ZIP_STORED))
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    end = data.find(b"PK\x05\x06")
    entry = bytes(data[first:second])
    changed = bytearray(data[:second] + entry + data[end:])
    at = changed.find(b"PK\x05\x06")
    struct.pack_into("<I", changed, at + 12, 2 * len(entry))
    return bytes(changed)


def _sparse_zeros(sizes: list[int]) -> bytes:
    """Files of zeros: one compressed piece, repeated, so that 10 GiB are made from 64 MiB."""
    piece = gzip.compress(b"\0" * (64 * _MIB), 9, mtime=0)
    good = tar([(f"course/{path}", data) for path, data in as_bytes(COURSE).items()], end=False)
    out = [gzip.compress(good)]
    for number, size in enumerate(sizes):
        out.append(gzip.compress(header_block(f"course/static/zeros{number}", size)))
        out += [piece] * (size // (64 * _MIB))
    return b"".join([*out, gzip.compress(b"\0" * 1024)])


def _deep(levels: int) -> str:
    return f'<course url_name="R" org="O" course="C">{"<a>" * levels}{"</a>" * levels}</course>'


def _noise(size: int) -> bytes:
    """Bytes that do not compress, the same ones every time."""
    return b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(size // 32 + 1))[:size]


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


_LAUGHS: Final = (
    '<!DOCTYPE course [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + ']><course url_name="&j;" org="O" course="C"/>'
)
_XXE: Final = (
    '<?xml version="1.0"?><!DOCTYPE course [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<course url_name="R" org="O" course="C">&x;</course>'
)

BAD_ARCHIVES: Final[tuple[BadArchive, ...]] = (
    BadArchive("not a tar", "not_an_archive", lambda: b"This is a letter, not an archive.\n" * 40),
    BadArchive("a short text", "not_an_archive", lambda: b"hello"),
    BadArchive("gzip of a text", "not_an_archive", lambda: gzip.compress(b"hello " * 200)),
    BadArchive("gzip in gzip", "not_an_archive", lambda: gzip.compress(gzip.compress(_noise(900)))),
    BadArchive("nothing", "empty_archive", lambda: b""),
    BadArchive("gzip of nothing", "empty_archive", lambda: gzip.compress(b"")),
    BadArchive("empty tar", "empty_archive", lambda: gzip.compress(bytes(10240))),
    BadArchive("climbing path", "path_climbs", lambda: _course_with(("../../etc/x", b""))),
    BadArchive("path that comes back", "path_climbs", lambda: _course_with(("course/../a_file", b""))),
    BadArchive("absolute path", "path_absolute", lambda: _course_with(("/abs", b""))),
    BadArchive("drive letter", "path_absolute", lambda: _course_with(("C:\\x", b""))),
    BadArchive("climbing with backslashes", "path_climbs", lambda: _course_with(("..\\x", b""))),
    BadArchive("newline in a name", "name_illegal", lambda: _course_with(("course/a\nb", b""))),
    BadArchive("turned-around name", "name_illegal", lambda: _course_with(("course/\u202egpj.exe", b""))),
    BadArchive("long name", "name_too_long", lambda: _course_with(("course/" + "n" * 300, b""))),
    BadArchive("deep path", "name_too_long", lambda: _course_with(("d/" * 60 + "x", b""))),
    BadArchive("name in Latin-1", "name_not_utf8", lambda: _course_with(("course/caf\udce9", b""))),
    BadArchive("link out of the course", "link_outside", lambda: _course_with(link("course/static/p", "/etc/passwd"))),
    BadArchive("link up and out", "link_outside", lambda: _course_with(link("course/static/p", "../../x.zip"))),
    BadArchive("hard link out", "link_outside", lambda: _course_with(link("course/static/p", "etc/passwd", hard=True))),
    BadArchive("link to nothing", "link_dangling", lambda: _course_with(link("course/static/p", "q"))),
    BadArchive("link without a target", "link_dangling", lambda: _course_with(link("course/static/p", ""))),
    BadArchive(
        "links in a circle",
        "link_loop",
        lambda: _course_with(link("course/a", "b"), link("course/b", "a")),
    ),
    BadArchive("link to a folder", "link_directory", lambda: _course_with(link("course/static/p", "../course"))),
    BadArchive("link to the course's folder", "link_directory", lambda: _course_with(link("course/src/me", ".."))),
    BadArchive(
        "file below a link",
        "path_conflict",
        lambda: _course_with(link("course/static", "/etc"), ("course/static/passwd", b"x")),
    ),
    BadArchive("file below a file", "path_conflict", lambda: _course_with(("course/x", b""), ("course/x/y", b""))),
    BadArchive("device", "special_member", lambda: _course_with(_special("course/null", tarfile.CHRTYPE))),
    BadArchive("pipe", "special_member", lambda: _course_with(_special("course/pipe", tarfile.FIFOTYPE))),
    BadArchive("sparse file", "special_member", lambda: _course_with(_special("course/s", tarfile.GNUTYPE_SPARSE))),
    BadArchive("unknown kind", "special_member", lambda: _course_with(_special("course/s", b"Z"))),
    BadArchive(
        "10 GiB of zeros in one member",
        "member_too_large",
        lambda: _sparse_zeros([10 << 30]),
    ),
    BadArchive(
        "10 GiB of zeros in 20 members",
        "ratio_too_high",
        lambda: _sparse_zeros([512 * _MIB] * 20),
    ),
    BadArchive("claim of 1 TiB", "member_too_large", lambda: gzip.compress(header_block("course/course.xml", 1 << 40))),
    BadArchive("claim of 1 TiB, plain", "member_too_large", lambda: header_block("course/x", 1 << 40)),
    BadArchive("negative size", "corrupt", lambda: header_block("course/x", -512)),
    BadArchive("gzip cut off", "truncated", lambda: _course_with(("course/static/x", _noise(5000)))[:-300]),
    BadArchive("tar cut off", "truncated", lambda: tar([("course/x", b"y" * 5000)])[:3000]),
    BadArchive("tar without an end", "truncated", lambda: tar([("course/x", b"y")], end=False)),
    BadArchive("wrong checksum", "corrupt", lambda: _flipped(_course_with(), -6)),
    BadArchive("wrong header", "corrupt", lambda: _flipped(tar([("course/x", b""), ("course/y", b"")]), 512 + 10)),
    BadArchive("two archives in one", "trailing_data", lambda: gzip.compress(tar([("a", b"")]) + tar([("b", b"")]))),
    BadArchive("same name twice", "duplicate_member", lambda: _course_with(("course/x", b"1"), ("course/x", b"2"))),
    BadArchive("same name, spelled apart", "duplicate_member", lambda: _course_with(("a/./x", b""), ("a//x", b""))),
    BadArchive(
        "same letter, composed and decomposed",
        "duplicate_member",
        lambda: _course_with(("course/\u00e9", b""), ("course/e\u0301", b"")),
    ),
    BadArchive("5 MB of comment", "header_too_large", lambda: _pax({"comment": "x" * 5_000_000}) + bytes(1024)),
    BadArchive("climbing path in an extension", "path_climbs", lambda: _pax({"path": "../x"}) + tar([("x", b"")])),
    BadArchive("zip with a link", "link_outside", _zip_link),
    BadArchive("encrypted zip", "encrypted_member", _zip_encrypted),
    BadArchive("zip with two names", "zip_mismatch", _zip_renamed_inside),
    BadArchive("overlapping zip", "zip_overlap", _zip_overlapping),
    BadArchive("zip packed otherwise", "unsupported_compression", lambda: _zip(COURSE, method=zipfile.ZIP_BZIP2)),
    BadArchive("zip cut off", "truncated", lambda: _zip(COURSE)[:-40]),
    BadArchive("zip bomb", "ratio_too_high", lambda: _zip({**COURSE, "static/zeros": bytes(64 * _MIB)})),
    BadArchive("no course.xml", "no_course_xml", lambda: tar_gz({"readme.txt": "hello"})),
    BadArchive(
        "two roots", "two_roots", lambda: tar_gz({"a/course.xml": "<course/>", "b/course.xml": "<course/>"}, top="")
    ),
    BadArchive("broken XML", "root_broken", lambda: _root('<course url_name="R" org="O"')),
    BadArchive("root of another kind", "root_broken", lambda: _root("<library/>")),
    BadArchive("root without its file", "root_broken", lambda: _root('<course url_name="X" org="O" course="C"/>')),
    BadArchive("root without a run", "root_no_run", lambda: _root('<course org="O" course="C"><chapter/></course>')),
    BadArchive("DOCTYPE", "root_doctype", lambda: _root('<!DOCTYPE course><course url_name="R" org="O" course="C"/>')),
    BadArchive("external entity", "root_doctype", lambda: _root(_XXE)),
    BadArchive("a billion laughs", "root_doctype", lambda: _root(_LAUGHS)),
    BadArchive("100,000 levels", "root_broken", lambda: _root(_deep(100_000))),
    BadArchive(
        "100,000 attributes",
        "root_broken",
        lambda: _root("<course " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>"),
    ),
    BadArchive("NUL in XML", "root_broken", lambda: _root('<course url_name="&#0;" org="O" course="C"/>')),
    BadArchive("XML in Latin-1", "root_broken", lambda: tar_gz({"course.xml": b'<course url_name="\xe9"/>'})),
)


def bad_archives(folder: Path) -> Iterator[tuple[BadArchive, Path]]:
    """Write each bad archive to the folder in turn; it is deleted when the next one is asked for."""
    for number, bad in enumerate(BAD_ARCHIVES):
        path = folder / f"bad-{number}"
        path.write_bytes(bad.make())
        yield bad, path
        path.unlink()
