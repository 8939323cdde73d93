"""For robots without a server: check a course before it is pushed, and pack a checked-out one."""

import io
import tempfile
from pathlib import Path

from olx.archive import read_archive, read_folder
from olx.limits import Limits
from olx.reader import read_course
from olx.report import Report
from olx.tar_writer import GzippedTar, Sink


def validate(path: Path | str) -> Report:
    """What an import would report of an archive or a folder; raises `ArchiveRefused` for one it would not read."""
    path, limits, report = Path(path), Limits(), Report()
    if path.is_dir():
        read_course(read_folder(path, limits=limits), report, limits)
        return report
    with tempfile.TemporaryDirectory(prefix="olx-") as spool:
        read_course(read_archive(path, Path(spool), limits=limits, links="skip"), report, limits)
    return report


def pack_folder(folder: Path | str, out: Sink) -> None:
    """Pack a checked-out course as it lies there, so that equal files give equal bytes."""
    tree = read_folder(Path(folder))
    top = "library" if "library.xml" in tree.files and "course.xml" not in tree.files else "course"
    with GzippedTar(out) as tar:
        for path in sorted(tree.files):
            data = tree.read(path)
            tar.add(f"{top}/{path}", len(data), io.BytesIO(data))
