"""A repository is pushed to, and the course changes: through the gateway, git, the bus and content."""

import asyncio
import hashlib
import hmac
import json
import shutil
import uuid

import pytest
from api import finished

from common.testing.git_server import serve_repository
from common.testing.waiting import until


@pytest.fixture
def followed(tmp_path, sample_course):
    folder = tmp_path / "repository"
    shutil.copytree(sample_course, folder / "courses/sample")
    with serve_repository(folder) as served:
        yield served


async def tell(http, hook, sha, repository):
    payload = {"ref": "refs/heads/main", "after": sha, "repository": {"clone_url": repository.url}}
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    return await http.post(f"/api/v1/hooks/{hook['id']}/push", content=body, headers=headers)


async def test_a_signed_push_becomes_the_course_and_a_killed_importer_loses_none(system, admin, http, followed):
    repository = followed
    course = f"course-v1:HookX+G+{uuid.uuid4().hex[:8]}"
    body = {"course_id": course, "repository": repository.url, "path": "courses/sample"}
    made = await admin.post("/api/v1/hooks", json=body)
    assert made.status_code == 201, made.text
    hook = made.json()

    first = await tell(http, hook, repository.git("rev-parse", "HEAD"), repository)
    assert first.status_code == 202, first.text
    assert (await finished(admin, first.json()["task_id"]))["state"] == "Succeeded"

    page = repository.folder / "courses/sample/about/overview.html"
    sha = repository.commit("Said anew", {str(page.relative_to(repository.folder)): "<p>Said anew by a push</p>"})
    told = await tell(http, hook, sha, repository)
    system.child("import-export").kill()
    system.again("import-export")
    await asyncio.to_thread(system.wait_ready)
    assert told.status_code == 202
    task = await finished(admin, told.json()["task_id"], timeout=90)
    assert (task["state"], task["source"]["sha"]) == ("Succeeded", sha)

    again = await tell(http, hook, sha, repository)
    assert (again.status_code, again.json()["status"]) == (200, "repeated")
    pushes = await admin.json(f"/api/v1/hooks/{hook['id']}/pushes")
    assert [push["state"] for push in pushes["results"]] == ["imported", "imported"]

    async def shown():
        detail = await admin.get(f"/course/{course}")
        return "Said anew by a push" in detail.text or None

    await until(shown, timeout=10, what="the new text in the course")
