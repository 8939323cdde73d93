"""A real git repository over local HTTP, for tests of what follows one."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import make_server

_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann Author"), ("EMAIL", "ann@example.com"))
}
PATH = "org/course.git"


class Repository:
    """A working tree and its history, at `url`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def git(self, *words: str) -> str:
        environment = {**os.environ, **_WHO, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(self, message: str = "A change", files: Mapping[str, str | bytes] | None = None) -> str:
        """The new commit's sha."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@contextmanager
def serve_repository(folder: Path) -> Iterator[Repository]:
    """What lies in *folder* becomes the first commit of branch main."""
    from dulwich.errors import NotGitRepository  # noqa: PLC0415 - whoever serves repositories has it
    from dulwich.repo import Repo  # noqa: PLC0415
    from dulwich.server import DictBackend  # noqa: PLC0415
    from dulwich.web import WSGIRequestHandlerLogger, WSGIServerLogger, make_wsgi_chain  # noqa: PLC0415

    opened: list[Repo] = []

    class Backend(DictBackend):
        def open_repository(self, path: str | bytes) -> Repo:
            if os.fsdecode(path).strip("/") != PATH:
                raise NotGitRepository(path)
            opened.append(Repo(str(folder)))
            return opened[-1]

    server = make_server(
        "127.0.0.1",
        0,
        make_wsgi_chain(Backend({})),
        handler_class=WSGIRequestHandlerLogger,
        server_class=WSGIServerLogger,
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        repository = Repository(folder, f"http://127.0.0.1:{server.server_port}/{PATH}")
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit("The course as it was")
        yield repository
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for repo in opened:
            repo.close()
