"""Folders on the local disk for what lies there a moment: a lock tells those in use from what a dead process left."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from import_export.settings import Settings


def spool_root(settings: Settings) -> Path:
    """Where uploads and archives under construction lie for a moment."""
    root = settings.spool_dir or Path(tempfile.gettempdir()) / "lectern-import-export"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


@contextmanager
def spool_folder(settings: Settings, prefix: str) -> Iterator[Path]:
    """A folder of one's own, gone at the end. The kernel drops the lock of a process that is killed."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=spool_root(settings), prefix=prefix))
        held = _lock(folder)
        if held is not None:
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _lock(folder: Path) -> int | None:
    """None when a sweep came between the making and the locking of the folder, and has it or had it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def sweep_spool(root: Path) -> int:
    """Remove what no living process holds; returns how much that was."""
    gone = 0
    for entry in root.iterdir():
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
        elif (held := _lock(entry)) is not None:
            shutil.rmtree(entry, ignore_errors=True)
            os.close(held)
        else:
            continue
        gone += 1
    return gone
