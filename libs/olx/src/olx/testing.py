"""For tests: small courses and archives, made file by file."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
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


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = kind
    return header


def header_block(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    header.type = kind
    return header.tobuf(tarfile.GNU_FORMAT)[-tarfile.BLOCKSIZE :]


def zipped(files: Files, *, method: int = zipfile.ZIP_DEFLATED, top: str = "course/") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, data in as_bytes(files).items():
            archive.writestr(f"{top}{path}", data)
    return out.getvalue()
