"""One commit of a repository as a course archive, in a process of its own: `python -m import_export.hooks.checkout`.

That process has no secrets in its environment, bounded memory, files and time, and looks up no address that leads into
an internal network. It reads an `Order` as JSON from standard input and writes `Fetched` or a failure to its output.
"""

import errno
import gzip
import json
import os
import resource
import socket
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from dulwich.client import HTTPUnauthorized, get_transport_and_path
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo
from urllib3.exceptions import HTTPError

from import_export.hooks.addresses import is_internal
from import_export.hooks.orders import Fetched, Order, Refused

_MEMORY = 2 * 1024**3
_LONGEST_LINE_OF_LINKS = 40
_TOP = "course"


Entry = tuple[int, ObjectID]


class Snapshot:
    """The files of one commit, by path from the root of the repository."""

    def __init__(self, store: BaseObjectStore, root: ObjectID) -> None:
        self._store, self._root = store, root
        self._trees: dict[ObjectID, dict[str, Entry]] = {}

    def tree(self, sha: ObjectID) -> dict[str, Entry]:
        if sha not in self._trees:
            tree = _object(self._store, sha, Tree)
            self._trees[sha] = {
                item.path.decode("utf-8", "surrogateescape"): (item.mode, item.sha) for item in tree.items()
            }
        return self._trees[sha]

    def bytes_of(self, sha: ObjectID) -> bytes:
        return _object(self._store, sha, Blob).as_raw_string()

    def find(self, parts: Sequence[str]) -> Entry | None:
        """What stands at a path, links on the way followed as long as they stay in the repository."""
        return self._walk(list(parts), _LONGEST_LINE_OF_LINKS)

    def _walk(self, wanted: list[str], left: int) -> Entry | None:
        here: list[str] = []
        line: list[Entry] = [(stat.S_IFDIR, self._root)]
        while wanted:
            part = wanted.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                if not here:
                    return None
                here.pop()
                line.pop()
                continue
            mode, sha = line[-1]
            entry = self.tree(sha).get(part) if stat.S_ISDIR(mode) else None
            if entry is None:
                return None
            if stat.S_ISLNK(entry[0]):
                target = self.bytes_of(entry[1]).decode("utf-8", "surrogateescape")
                if target.startswith("/") or left <= 0:
                    return None
                return self._walk([*here, *target.split("/"), *wanted], left - 1)
            here.append(part)
            line.append(entry)
        return line[-1]

    def files(self, folder: ObjectID) -> Iterator[tuple[str, Entry]]:
        """Everything below a folder that is no folder, in the order of names."""
        stack: list[tuple[str, ObjectID]] = [("", folder)]
        while stack:
            prefix, sha = stack.pop()
            for name, entry in sorted(self.tree(sha).items(), reverse=True):
                path = f"{prefix}{name}"
                if stat.S_ISDIR(entry[0]):
                    stack.append((f"{path}/", entry[1]))
                else:
                    yield path, entry


T = TypeVar("T", Tree, Blob, Commit)


def _object(store: BaseObjectStore, sha: ObjectID, kind: type[T]) -> T:
    """Raises `Refused`."""
    try:
        found = store[sha]
    except KeyError as error:
        raise Refused("commit_incomplete", "The repository lacks objects of this commit.") from error
    if not isinstance(found, kind):
        raise Refused("commit_incomplete", f"{sha.decode()} is a {found.type_name.decode()}, which does not fit.")
    return found


def pack(snapshot: Snapshot, root: ObjectID, order: Order) -> Fetched:
    """Write the archive: sorted, without times, so that one commit always has the same bytes."""
    entry = snapshot.find(order.path.split("/")) if order.path else (stat.S_IFDIR, root)
    if entry is None or not stat.S_ISDIR(entry[0]):
        raise Refused("path_missing", f"There is no folder {order.path!r} in this commit.")
    base = order.path.split("/") if order.path else []
    notes: list[str] = []
    files = size = 0
    with (
        Path(order.target).open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, (mode, sha) in snapshot.files(entry[1]):
            if stat.S_IFMT(mode) == 0o160000:
                notes.append(f"{path} is another repository (a submodule) and was left out.")
                continue
            member = tarfile.TarInfo(f"{_TOP}/{path}")
            member.mode = 0o644
            data = snapshot.bytes_of(sha)
            if stat.S_ISLNK(mode):
                linked = snapshot.find([*base, *path.split("/")])
                if linked is None or not stat.S_ISREG(linked[0]):
                    # the reader of archives says what is wrong with it, or leaves it out where asked to
                    member.type, member.linkname = tarfile.SYMTYPE, data.decode("utf-8", "surrogateescape")
                    archive.addfile(member)
                    files += 1
                    continue
                data = snapshot.bytes_of(linked[1])
            files, size = files + 1, size + len(data)
            if files > order.most_files or size > order.most_bytes:
                raise Refused("too_large", f"More than {order.most_files} files or {order.most_bytes} bytes.")
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return Fetched(files, size, notes=notes)


def fetch(order: Order) -> Fetched:
    """Raises `Refused`."""
    with tempfile.TemporaryDirectory(dir=Path(order.target).parent) as folder:
        repository = _download(order, Path(folder))
        try:
            commit = _object(repository.object_store, ObjectID(order.sha.encode()), Commit)
            fetched = pack(Snapshot(repository.object_store, commit.tree), commit.tree, order)
            message = commit.message.decode("utf-8", "replace").replace("\x00", "").strip()[:2000] or None
        finally:
            repository.close()
    return Fetched(fetched.files, fetched.size, message, fetched.notes)


def _download(order: Order, folder: Path) -> Repo:
    """The head alone where it is the commit, else the commit alone where the server gives single commits, else the
    whole branch, which must hold it. Each into a repository of its own: a shallow one would pass for complete.
    """
    sha = ObjectID(order.sha.encode())
    tries = ((None, 1), (sha, 1), (None, None))
    try:
        for number, (wanted, depth) in enumerate(tries):
            repository = Repo.init_bare(str(folder / str(number)), mkdir=True)
            try:
                _fetch(order, repository, wanted, depth=depth)
            except (GitProtocolError, HangupException, KeyError, AssertionError):
                if wanted is None:
                    raise
            if sha in repository.object_store:
                return repository
            repository.close()
    except HTTPUnauthorized as error:
        raise Refused("not_permitted", "The repository asks for credentials that this hook does not have.") from error
    except NotGitRepository as error:
        raise Refused("no_repository", "There is no repository at this address.") from error
    except (HTTPError, GitProtocolError, HangupException, OSError) as error:
        if _is_internal(error):
            raise Refused("internal_address", "The repository's address leads into an internal network.") from error
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise Refused("too_large", f"The commit is larger than {order.most_bytes} bytes.") from error
        raise Refused("unreachable", f"The repository could not be read: {error}"[:500], transient=True) from error
    raise Refused("commit_missing", f"The branch {order.branch!r} does not hold the commit {order.sha}.")


def _fetch(order: Order, repository: Repo, wanted: ObjectID | None, *, depth: int | None) -> None:
    """The head of the branch, or *wanted*."""
    ref = Ref(f"refs/heads/{order.branch}".encode())
    username, password = _credentials(order.repository)
    client, path = get_transport_and_path(_bare_address(order.repository), username=username, password=password)

    def wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
        del depth
        if ref not in refs:
            raise Refused("branch_missing", f"The repository has no branch {order.branch!r}.")
        return [wanted or refs[ref]]

    client.fetch(path, repository, determine_wants=wants, progress=lambda _: None, depth=depth)


class InternalAddress(OSError):
    """The repository's address leads into an internal network."""


def _is_internal(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InternalAddress) or isinstance(getattr(seen, "reason", None), InternalAddress):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _bare_address(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _credentials(address: str) -> tuple[str | None, str | None]:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return None, None
    return unquote(parts.username), unquote(parts.password or "")


def guard_addresses() -> None:
    """From here on this process finds no internal address: redirects and changed names included, since every
    connection asks here, and goes to what it was told.
    """
    ask = socket.getaddrinfo

    def answer(*arguments: object, **named: object) -> object:
        found = ask(*arguments, **named)  # type: ignore[arg-type]
        for *_, place in found:
            if is_internal(str(place[0])):
                raise InternalAddress(f"{arguments[0]} leads into an internal network.")
        return found

    socket.getaddrinfo = answer  # type: ignore[assignment]


def main() -> int:
    order = Order(**json.load(sys.stdin))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order.most_bytes, order.most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not order.allow_internal:
        guard_addresses()
    try:
        said: dict[str, object] = {"ok": True, **asdict(fetch(order))}
    except Refused as refusal:
        said = {"ok": False, "code": refusal.code, "message": refusal.message, "transient": refusal.transient}
    except MemoryError:
        said = {"ok": False, "code": "too_large", "message": "The commit needs too much memory.", "transient": False}
    os.write(1, json.dumps(said).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
