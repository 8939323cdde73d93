"""A checked-out course as an archive, so that a CI job needs no step for it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lectern_client.errors import LecternError
from lectern_client.validation import NotInstalled


@contextmanager
def packed(path: Path) -> Iterator[Path]:
    """*path* itself, or a folder packed into an archive of its name. Raises `NotInstalled`, `LecternError`."""
    if not path.is_dir():
        yield path
        return
    try:
        from olx.errors import ArchiveRefused  # noqa: PLC0415 - an optional extra
        from olx.offline import pack_folder  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotInstalled from error
    with tempfile.TemporaryDirectory(prefix="lectern-pack-") as folder:
        archive = Path(folder) / f"{path.resolve().name or 'course'}.tar.gz"
        with archive.open("wb") as out:
            try:
                pack_folder(path, out)
            except ArchiveRefused as refused:
                raise LecternError(f"{path}: {refused.message} [{refused.code}]") from refused
        yield archive
