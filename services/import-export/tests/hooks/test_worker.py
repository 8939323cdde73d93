"""From a push to an archive: real repositories over HTTP, and everything that can go wrong with them."""

import asyncio
import gzip
import io
import tarfile
from dataclasses import replace
from uuid import uuid4

import orjson
import pytest

from common.blobs import exists
from common.testing.waiting import until
from import_export.hooks.operations import upload_key
from import_export.hooks.queries import claim_push
from import_export.hooks.worker import PushWorker
from import_export.tasks.wakeups import Wakeups


@pytest.fixture
def worker(resources):
    def make(**settings):
        changed = resources.settings.model_copy(update=settings)
        own = replace(resources, settings=changed)
        return PushWorker(own, changed, Wakeups(changed.database_url, application="test pushes"))

    return make


@pytest.fixture
async def hook(make_hook, add_course, served):
    await add_course()
    return await make_hook(served.url)


@pytest.fixture
def push(http, hook, github):
    async def told(sha, hook=hook):
        answer = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github(sha))
        assert answer.status_code == 202, answer.text
        return answer.json()

    return told


async def packed(resources, heard):
    data = await resources.blobs.get_bytes(upload_key(heard["task_id"]))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {
            member.name: member.linkname if member.issym() else archive.extractfile(member).read() for member in archive
        }
    return data, members


async def read(http, heard):
    return (await http("GET", heard["url"].removeprefix("http://lectern.test"))).json()


async def test_a_pushed_commit_becomes_an_import_with_its_provenance(http, db, worker, push, served, resources):
    sha = served.commit("One more line", {"course/html/more.xml": "<html/>"})
    heard = await push(sha)
    assert await worker().step(uuid4())
    job = await db.fetchrow("select * from job")
    source = orjson.loads(job["source"])
    assert (job["phase"], source["repo"], source["sha"]) == ("queued", served.url, sha)
    assert (await read(http, heard))["state"] == "imported"
    _, members = await packed(resources, heard)
    assert members["course/html/more.xml"] == b"<html/>"
    assert "course/course.xml" in members


async def test_one_commit_always_has_the_same_bytes(worker, push, served, resources, http, hook):
    heard = await push(served.commit())
    await worker().step(uuid4())
    first, _ = await packed(resources, heard)
    again = await http("POST", f"/api/v1/hooks/{hook['id']}/pushes/{heard['push_id']}/retry")
    assert again.status_code == 202, again.text
    await worker().step(uuid4())
    second, _ = await packed(resources, again.json())
    assert first == second
    assert gzip.decompress(first)[:6] == b"course"


async def test_a_commit_that_is_no_longer_the_head_is_the_one_that_is_imported(worker, push, served, resources):
    old = served.commit("Old", {"course/about/x.xml": "old"})
    heard = await push(old)
    served.commit("New", {"course/about/x.xml": "new"})
    await worker().step(uuid4())
    _, members = await packed(resources, heard)
    assert members["course/about/x.xml"] == b"old"


async def test_links_inside_the_repository_are_copies_and_others_stay_links(worker, push, served, resources):
    served.write({"shared/logo.svg": "<svg/>", "other/page.html": "page"})
    for name, target in (
        ("course/static/logo.svg", "../../shared/logo.svg"),
        ("course/html/far.html", "../../shared/../other/page.html"),
        ("course/html/again.html", "far.html"),
        ("course/static/out", "../../../etc/passwd"),
        ("course/static/absolute", "/etc/passwd"),
        ("course/static/dangling", "nothing"),
        ("course/static/loop", "loop"),
        ("course/static/folder", "../../shared"),
    ):
        (served.folder / name).symlink_to(target)
    heard = await push(served.commit())
    await worker().step(uuid4())
    _, members = await packed(resources, heard)
    copies = ("course/static/logo.svg", "course/html/far.html", "course/html/again.html")
    assert [members[name] for name in copies] == [b"<svg/>", b"page", b"page"]
    assert members["course/static/out"] == "../../../etc/passwd"
    assert members["course/static/absolute"] == "/etc/passwd"
    assert (members["course/static/dangling"], members["course/static/loop"]) == ("nothing", "loop")
    assert members["course/static/folder"] == "../../shared"


async def test_submodules_are_left_out_and_named(http, worker, push, served, resources):
    served.git("update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},course/module")
    served.git("commit", "--quiet", "-m", "A module")
    heard = await push(served.git("rev-parse", "HEAD"))
    await worker().step(uuid4())
    assert any("submodule" in line["text"] for line in (await read(http, heard))["log"])


@pytest.mark.parametrize(
    ("said", "settings", "code"),
    [
        ({"branch": "nowhere"}, {}, "branch_missing"),
        ({"path": "nothing/here"}, {}, "path_missing"),
        ({"path": "course/course.xml"}, {}, "path_missing"),
        ({"repository": "missing.git"}, {}, "no_repository"),
        ({}, {"hook_max_bytes": 3000}, "too_large"),
        ({}, {"max_members": 2}, "too_large"),
        ({}, {"hook_internal_urls": False}, "internal_address"),
        ({"repository": "localhost"}, {"hook_internal_urls": False}, "internal_address"),
        ({}, {"hook_seconds": 0.001, "job_attempts": 1}, "timeout"),
    ],
)
async def test_what_cannot_be_fetched_fails_by_name(
    http, db, add_course, make_hook, served, worker, github, resources, said, settings, code
):
    await add_course()
    port = served.url.split(":")[2].split("/")[0]
    urls = {"missing.git": served.url.replace("course.git", "missing.git"), "localhost": f"http://localhost:{port}/x"}
    url = urls.get(said.get("repository"), served.url)
    hook = await make_hook(url, **{name: value for name, value in said.items() if name != "repository"})
    sha = served.commit("Much", {"course/html/much.xml": "much " * 2000})
    told = github(sha, branch=said.get("branch", "main"))
    heard = (await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **told)).json()
    await worker(**settings).step(uuid4())
    task = await http.task(heard["task_id"])
    assert (task["state"], task["error"]["code"]) == ("Failed", code)
    assert (await read(http, heard))["state"] == "failed"
    assert not await exists(resources.blobs, upload_key(heard["task_id"]))
    assert not list(resources.settings.spool_dir.glob("push-*"))


async def test_a_commit_of_nowhere_is_missing(http, worker, push):
    heard = await push("12" * 20)
    await worker().step(uuid4())
    assert (await http.task(heard["task_id"]))["error"]["code"] == "commit_missing"


async def test_a_host_that_does_not_answer_is_tried_again_and_then_given_up(
    http, db, add_course, make_hook, worker, github
):
    await add_course()
    hook = await make_hook("http://127.0.0.1:9/x.git")
    heard = (await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github("12" * 20))).json()
    for attempt in (1, 2, 3):
        await db.execute("update hook_push set retry_at = now() where retry_at is not null")
        assert await worker().step(uuid4())
        assert not await worker().step(uuid4())
        assert (await read(http, heard))["attempts"] == attempt
    task = await http.task(heard["task_id"])
    assert (task["state"], task["error"]["code"]) == ("Failed", "unreachable")


async def test_a_push_whose_worker_died_is_taken_over(http, db, worker, push, served, resources):
    heard = await push(served.commit())
    async with resources.sessions.begin() as session:
        assert await claim_push(session, worker=uuid4(), seconds=30)
    assert not await worker().step(uuid4())
    await db.execute("update hook_push set lease_until = now()")
    assert await worker().step(uuid4())
    assert (await read(http, heard))["state"] == "imported"


async def test_pushes_of_one_hook_are_fetched_in_the_order_they_came(db, worker, push, served, resources):
    first, second = await push(served.commit()), await push(served.commit())
    dead = uuid4()
    async with resources.sessions.begin() as session:
        claimed = await claim_push(session, worker=dead, seconds=30)
    assert str(claimed.id) == first["push_id"]
    assert not await worker().step(uuid4())
    await db.execute("update hook_push set lease_until = now() where lease_owner = $1", dead)
    await worker().step(uuid4())
    await worker().step(uuid4())
    rows = await db.fetch("select id from hook_push where state = 'imported' order by finished_at")
    assert [str(row["id"]) for row in rows] == [first["push_id"], second["push_id"]]


async def test_a_worker_that_is_stopped_hands_its_push_back(http, worker, push, served, resources):
    heard = await push(served.commit())
    task = asyncio.create_task(worker().step(uuid4()))

    async def is_fetching():
        return list(resources.settings.spool_dir.glob("push-*")) or None

    await until(is_fetching, what="the fetch")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await read(http, heard)
    assert (found["state"], found["attempts"]) == ("queued", 0)


async def test_a_canceled_task_is_not_imported(http, worker, push, served, resources):
    heard = await push(served.commit())
    assert (await http("POST", f"/api/v0/tasks/{heard['task_id']}/cancel")).status_code == 200
    await worker().step(uuid4())
    assert (await read(http, heard))["state"] == "canceled"
    assert not await exists(resources.blobs, upload_key(heard["task_id"]))
