"""Reading an archive nobody vouches for: a gzipped tar, a plain tar or a zip, from a file on disk.

Nothing is ever extracted by name. Members are read one at a time within `Limits`; files below `static` go to the spool
directory under their own SHA-256, the rest stays in memory.
"""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.names import is_junk, printable
from olx.tar_members import read_tar
from olx.tree import File, Intake, Link, Tree
from olx.zip_members import read_zip

LinkRule = Literal["refuse", "skip"]
RootFile = Literal["course.xml", "library.xml"]

_MAX_HOPS: Final = 40
_OTHER_PACKINGS: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}
_FOREIGN: Final = {
    "moodle_backup.xml": "Moodle",
    "imsmanifest.xml": "IMS Common Cartridge",
    ".bb-package-info": "Blackboard",
}
"""What the backups of other systems have at their top; Moodle's has a `course.xml` besides."""
_BOTH: Final[tuple[RootFile, ...]] = ("course.xml", "library.xml")


def read_archive(
    path: Path,
    spool: Path,
    *,
    limits: Limits | None = None,
    links: LinkRule = "refuse",
    root_file: RootFile | None = None,
) -> Tree:
    """Read the course (or library) of an archive; `root_file` says which of the two is wanted, if that is known."""
    intake = Intake(spool, limits or Limits())
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"\x1f\x8b"):
        read_tar(path, intake, gzipped=True)
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        read_zip(path, intake)
    elif not head:
        raise ArchiveRefused("empty_archive")
    elif packing := next((name for magic, name in _OTHER_PACKINGS.items() if head.startswith(magic)), None):
        raise ArchiveRefused("not_an_archive", f"The archive is packed with {packing}; only gzip and zip are read.")
    elif len(head) < 512:
        raise ArchiveRefused("not_an_archive")
    else:
        read_tar(path, intake, gzipped=False)
    if not intake.files and not intake.links:
        raise ArchiveRefused("empty_archive")
    return _below_root(intake, links, (root_file,) if root_file else _BOTH)


def read_folder(path: Path, *, limits: Limits | None = None, root_file: RootFile | None = None) -> Tree:
    """Read a checked-out course; links that lead out of it are skipped, and nothing is copied."""
    intake = Intake(path, limits or Limits(memory_bytes=1 << 40))
    top = path.resolve()
    for file in sorted(path.rglob("*")):
        relative = unicodedata.normalize("NFC", file.relative_to(path).as_posix())
        if ".git" in relative.split("/") or not file.is_file() or not file.resolve().is_relative_to(top):
            continue
        intake.count_member()
        if is_junk(relative):
            intake.junk += 1
            continue
        intake.check_size(relative, file.stat().st_size)
        intake.files[relative] = File(file.stat().st_size, file.read_bytes())
    return _below_root(intake, "skip", (root_file,) if root_file else _BOTH)


def _below_root(intake: Intake, rule: LinkRule, root_files: tuple[RootFile, ...]) -> Tree:
    _refuse_foreign(intake, ("moodle_backup.xml",))
    folder, others = _find_root(intake, root_files)
    prefix = f"{folder}/" if folder else ""
    tree = Tree(intake.spool, folder=folder, other_roots=others, junk=intake.junk)
    for path, file in intake.files.items():
        if path.startswith(prefix):
            tree.files[path[len(prefix) :]] = file
        else:
            tree.ignored += 1
    for path, link in sorted(intake.links.items()):
        if not path.startswith(prefix):
            tree.ignored += 1
            continue
        try:
            target = _follow(path, link, intake, prefix)
        except ArchiveRefused as refusal:
            if rule == "refuse" or path[len(prefix) :] in root_files:
                raise
            tree.links_skipped.append((path[len(prefix) :], refusal.code, refusal.message))
        else:
            file = intake.files[target]
            intake.check_size(path, file.size)
            tree.files[path[len(prefix) :]] = file
    return tree


def _refuse_foreign(intake: Intake, marks: Iterable[str]) -> None:
    top = min((path.count("/") for path in intake.files), default=0)
    for path in intake.files:
        name = path.rpartition("/")[2]
        if name in marks and path.count("/") == top:
            raise ArchiveRefused("foreign_archive", f"This is a backup of {_FOREIGN[name]}, not a course in OLX.", path)


def _find_root(intake: Intake, root_files: tuple[RootFile, ...]) -> tuple[str, list[str]]:
    """The folder nearest to the top that holds the root file, and the folders of further courses outside it.

    Where several runs share their files, the root file is often a link to one of `roots/`.
    """
    files = [*intake.files, *intake.links]
    for wanted in root_files:
        folders = [path.rpartition("/")[0] for path in files if path.rpartition("/")[2] == wanted]
        if not folders:
            continue
        depths = {folder: folder.count("/") + 1 if folder else 0 for folder in folders}
        nearest = min(depths.values())
        roots = [folder for folder in folders if depths[folder] == nearest]
        if len(roots) > 1:
            raise ArchiveRefused("two_roots", member=", ".join(sorted(roots)[:5]))
        root = roots[0]
        return root, sorted(folder for folder in folders if root and not f"{folder}/".startswith(f"{root}/"))
    _refuse_foreign(intake, _FOREIGN)
    missing = " or ".join(root_files)
    raise ArchiveRefused("no_course_xml", f"Could not find the {missing} file in the package.")


def _follow(path: str, link: Link, intake: Intake, prefix: str) -> str:
    """The regular file a link leads to, judged against the course's folder."""
    current: Link | None = link
    place = path
    for _ in range(_MAX_HOPS):
        if current is None:
            break
        target = unicodedata.normalize("NFC", current.target)
        shown = f"{printable(path)} -> {printable(current.target)}"
        if not target or "\0" in target:
            raise ArchiveRefused("link_dangling", f"The link {shown} points at nothing.", member=path)
        start = "" if current.is_hard else place.rpartition("/")[0]
        place, current = _resolve(start, target, shown, path, intake, prefix)
    else:
        raise ArchiveRefused("link_loop", f"The link {path} leads back to itself.", member=path)
    return place


def _resolve(start: str, target: str, shown: str, member: str, intake: Intake, prefix: str) -> tuple[str, Link | None]:
    """Walk `target` from `start`: to a regular file, or to the next link on the way (with the rest of the path)."""
    outside = ArchiveRefused("link_outside", f"The link {shown} leaves the course's folder.", member=member)
    if target.startswith("/"):
        raise outside
    parts = start.split("/") if start else []
    steps = [step for step in target.split("/") if step not in ("", ".")]
    for index, step in enumerate(steps):
        if step == "..":
            if not parts:
                raise outside
            parts.pop()
            continue
        parts.append(step)
        here = "/".join(parts)
        if here in intake.links:
            onward = intake.links[here]
            rest = "/".join(steps[index + 1 :])
            return here, Link(f"{onward.target}/{rest}" if rest else onward.target, onward.is_hard)
    place = "/".join(parts)
    if prefix and not f"{place}/".startswith(prefix):
        raise outside
    if place in intake.files:
        return place, None
    if not place or place in intake.folders or f"{place}/" == prefix:
        raise ArchiveRefused("link_directory", f"The link {shown} points at a folder.", member=member)
    raise ArchiveRefused("link_dangling", f"The link {shown} points at nothing.", member=member)
