"""A real repository, made by git, served over local HTTP."""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from common.testing.git_server import Repository, serve_repository
from import_export.hooks.models import sign

COURSE = "course-v1:Org+Sample+2030"
SECRET = "a secret of our own making"


@pytest.fixture
def served(tmp_path: Path, archive: bytes) -> Iterator[Repository]:
    """The small course in the folder `course`, on branch main."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    with serve_repository(folder) as repository:
        yield repository


@pytest.fixture
def github() -> Callable[..., dict[str, object]]:
    """`github(sha)` → body and headers of a signed push."""

    def make(sha, *, branch="main", secret=SECRET, event="push", **more):
        payload = {"ref": f"refs/heads/{branch}", "after": sha, "head_commit": {"message": "A change"},
                   "pusher": {"name": "ann"}} | more  # fmt: skip
        body = orjson.dumps(payload)
        headers = {"content-type": "application/json", "x-github-event": event,
                   "x-hub-signature-256": sign(secret, body)}  # fmt: skip
        return {"content": body, "headers": headers}

    return make


@pytest.fixture
async def make_hook(http, add_course):
    """`await make_hook(url)` → a hook of the sample course."""

    async def make(url, client=http, **more):
        body = {"course_id": COURSE, "repository": url, "secret": SECRET, "path": "course"} | more
        answer = await client("POST", "/api/v1/hooks", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make
