"""Archives that no reader may take, each with the code of its refusal.

`README.md` says which known attack each stands for; `make_corpus.py` writes them all to a folder.
"""

import gzip
import hashlib
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from olx.testing import COURSE, as_bytes, header_block, link, special, tar, tar_gz, zipped

_MIB: Final = 1 << 20


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
    text = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode()
        length = len(record) + len(str(len(record)))
        length = len(record) + len(str(length))
        text += str(length).encode() + record
    padded = text + b"\0" * (-len(text) % tarfile.BLOCKSIZE)
    return header_block("pax", len(text), tarfile.XHDTYPE) + padded


def _zip_link() -> bytes:
    out = io.BytesIO(zipped(COURSE))
    with zipfile.ZipFile(out, "a") as archive:
        entry = zipfile.ZipInfo("course/static/passwd")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return out.getvalue()


def _zip_encrypted() -> bytes:
    data = bytearray(zipped(COURSE, method=zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(magic)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(magic, at + 4)
    return bytes(data)


def _zip_renamed_inside() -> bytes:
    return zipped(COURSE).replace(b"course/course/R.xml", b"course/course/S.xml", 1)


def _zip_overlapping() -> bytes:
    """Two entries of the directory share one member's bytes."""
    data = bytearray(zipped({"course.xml": COURSE["course.xml"], "policies.xml": "<a/>"}, method=zipfile.ZIP_STORED))
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    end = data.find(b"PK\x05\x06")
    entry = bytes(data[first:second])
    changed = bytearray(data[:second] + entry + data[end:])
    at = changed.find(b"PK\x05\x06")
    struct.pack_into("<I", changed, at + 12, 2 * len(entry))
    return bytes(changed)


def _zip_patched(magic: bytes, offset: int, value: bytes) -> bytes:
    """A zip whose first header of a kind says something else at one place."""
    data = bytearray(zipped(COURSE))
    at = data.find(magic) + offset
    data[at : at + len(value)] = value
    return bytes(data)


class _Pipe(io.BytesIO):
    """Not seekable, so that sizes are written after each member."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def _zip_streamed(*, lie: bool) -> bytes:
    out = _Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in as_bytes(COURSE).items():
            archive.writestr(f"course/{path}", data)
    data = bytearray(out.getvalue())
    if lie:
        data[data.find(b"PK\x07\x08") + 8] ^= 0xFF
    return bytes(data)


def _zip_wrong_checksum() -> bytes:
    """Both headers agree, and both are wrong."""
    data = bytearray(zipped(COURSE))
    for magic, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.find(magic) + offset] ^= 0xFF
    return bytes(data)


def _zip_twice() -> bytes:
    return zipped({**COURSE, "static/a": "1", "static/b": "2"}).replace(b"static/b", b"static/a")


def _zip64_lie() -> bytes:
    """A member whose own header gives other 64-bit sizes than the directory."""
    out = io.BytesIO()
    entry = zipfile.ZipInfo("course/course.xml")
    with zipfile.ZipFile(out, "w") as archive, archive.open(entry, "w", force_zip64=True) as member:
        member.write(as_bytes(COURSE)["course.xml"])
    data = bytearray(out.getvalue())
    data[data.find(b"\x01\x00\x10\x00") + 4] ^= 0x01
    return bytes(data)


def _zip_not_utf8() -> bytes:
    return zipped({**COURSE, "static/caf\u00e9": "x"}).replace("caf\u00e9".encode(), b"caf\xe9\xe9")


def _zip_of_zeros() -> bytes:
    """Each member is small enough to be let through; together they are a bomb."""
    return zipped({**COURSE, **{f"static/zeros{number}": bytes(9 * _MIB) for number in range(4)}})


def _links_without_end() -> bytes:
    """Names that grow beyond any path a file system knows, if they are followed on a disk."""
    long = "d" * 200
    members = [link(f"course/l{number}", f"{long}/../l{number + 1}" if number < 59 else "l0") for number in range(60)]
    return _course_with((f"course/{long}/x", b""), *members)


def _base_256() -> bytes:
    block = bytearray(header_block("course/x", 0))
    block[124:136] = b"\x80" + (1 << 60).to_bytes(11, "big")
    return _summed(block)


def _summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}".encode() + b"\0 "
    return bytes(block) + bytes(1024)


def _empty_members(count: int) -> bytes:
    start = header_block("course/static/000000", 0)
    total = sum(start) - sum(start[148:156]) + 256
    out = []
    for number in range(count):
        digits = f"{number:06}".encode()
        checksum = f"{total + sum(digits) - 6 * ord('0'):06o}\0 ".encode()
        out.append(start[:14] + digits + start[20:148] + checksum + start[156:])
    return gzip.compress(b"".join(out), 1)


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
    BadArchive(
        "hard link to a deeper link",
        "link_outside",
        lambda: _course_with(link("course/a/b", "/etc/passwd"), link("course/c", "course/a/b", hard=True)),
    ),
    BadArchive("link called like the top folder", "name_illegal", lambda: _course_with(link(".", "/etc"))),
    BadArchive("link called like a folder", "path_conflict", lambda: _course_with(link("course/policies/", "/etc"))),
    BadArchive("links longer than a path can be", "link_loop", _links_without_end),
    BadArchive("device", "special_member", lambda: _course_with(special("course/null", tarfile.CHRTYPE))),
    BadArchive("pipe", "special_member", lambda: _course_with(special("course/pipe", tarfile.FIFOTYPE))),
    BadArchive("sparse file", "special_member", lambda: _course_with(special("course/s", tarfile.GNUTYPE_SPARSE))),
    BadArchive("unknown kind", "special_member", lambda: _course_with(special("course/s", b"Z"))),
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
    BadArchive("size in base 256", "member_too_large", _base_256),
    BadArchive("60,000 empty members", "too_many_members", lambda: _empty_members(60_000)),
    BadArchive("gzip cut off", "truncated", lambda: _course_with(("course/static/x", _noise(5000)))[:-300]),
    BadArchive("tar cut off", "truncated", lambda: tar([("course/x", b"y" * 5000)])[:3000]),
    BadArchive("tar without an end", "truncated", lambda: tar([("course/x", b"y")], end=False)),
    BadArchive("wrong checksum", "corrupt", lambda: _flipped(_course_with(), -6)),
    BadArchive("wrong header", "corrupt", lambda: _flipped(tar([("course/x", b""), ("course/y", b"")]), 512 + 10)),
    BadArchive("two archives in one", "trailing_data", lambda: gzip.compress(tar([("a", b"")]) + tar([("b", b"")]))),
    BadArchive("two archives, one gzip member each", "trailing_data", lambda: _course_with() + _course_with()),
    BadArchive("junk after the end", "corrupt", lambda: _course_with() + b"junk after the end"),
    BadArchive("NUL in a name", "name_illegal", lambda: _pax({"path": "course/a\0b"}) + tar([("x", b"")])),
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
    BadArchive("zip that is streamed and lies", "zip_mismatch", lambda: _zip_streamed(lie=True)),
    BadArchive("zip that lies in 64 bits", "zip_mismatch", _zip64_lie),
    BadArchive(
        "zip with another size",
        "zip_mismatch",
        lambda: _zip_patched(b"PK\x03\x04", 22, b"\x01\x00\x00\x00"),
    ),
    BadArchive("zip with another checksum", "corrupt", _zip_wrong_checksum),
    BadArchive("zip with a member outside", "corrupt", lambda: _zip_patched(b"PK\x01\x02", 42, b"\xff\xff\xff\x7f")),
    BadArchive("zip with a name in Latin-1", "name_not_utf8", _zip_not_utf8),
    BadArchive("zip with the same name twice", "duplicate_member", _zip_twice),
    BadArchive("zip with a climbing name", "path_climbs", lambda: zipped({"../x": "y"})),
    BadArchive("zip with a climbing name of Windows", "path_climbs", lambda: zipped({"..\\x": "y"}, top="")),
    BadArchive("zip bomb in pieces", "ratio_too_high", _zip_of_zeros),
    BadArchive("zip with two names", "zip_mismatch", _zip_renamed_inside),
    BadArchive("overlapping zip", "zip_overlap", _zip_overlapping),
    BadArchive("zip packed otherwise", "unsupported_compression", lambda: zipped(COURSE, method=zipfile.ZIP_BZIP2)),
    BadArchive("zip cut off", "truncated", lambda: zipped(COURSE)[:-40]),
    BadArchive("zip bomb", "ratio_too_high", lambda: zipped({**COURSE, "static/zeros": bytes(64 * _MIB)})),
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
