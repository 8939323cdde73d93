"""The few calls every integration test makes, as a stranger's script would make them."""

import asyncio
import io
import json
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx


@dataclass
class Client:
    """One caller of the gateway."""

    http: httpx.AsyncClient
    token: str | None = None
    username: str | None = None

    async def request(self, method: str, path: str, **options) -> httpx.Response:
        headers = dict(options.pop("headers", None) or {})
        if self.token:
            headers.setdefault("Authorization", f"JWT {self.token}")
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options) -> httpx.Response:
        return await self.request("POST", path, **options)

    async def json(self, path: str, **options) -> object:
        answer = await self.get(path, **options)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()


async def token_of(http: httpx.AsyncClient, client_id: str, client_secret: str) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "token_type": "jwt",
    }
    answer = await http.post("/oauth2/access_token", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def admin_of(http: httpx.AsyncClient, credentials: dict) -> Client:
    token = await token_of(http, credentials["client_id"], credentials["client_secret"])
    return Client(http, token, "lectern-admin")


async def new_user(admin: Client, username: str, **fields) -> Client:
    """A user and a client of theirs, with a token fetched as a robot fetches it."""
    body = {"username": username, "email": f"{username}@example.com", **fields}
    answer = await admin.post("/api/accounts/v1/users", json=body)
    assert answer.status_code == 201, answer.text
    answer = await admin.post("/api/accounts/v1/clients", json={"name": "test", "username": username})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    token = await token_of(admin.http, made["client_id"], made["client_secret"])
    return Client(admin.http, token, username)


async def grant(admin: Client, username: str, designation: str) -> None:
    body = {"username": username, "designation": designation}
    answer = await admin.post("/api/accounts/v1/creator_grants", json=body)
    assert answer.status_code == 201, answer.text


def pack(folder: Path, top: str = "course") -> bytes:
    """A course's source folder as the tar.gz a CI job makes of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=top)
    return buffer.getvalue()


async def push(client: Client, course: str, archive: bytes, *, name: str = "course.tar.gz", **query) -> httpx.Response:
    files = {"course_data": (name, archive, "application/gzip")}
    return await client.post(f"/api/v0/import/{course}", files=files, params=query or None)


async def finished(client: Client, task_id: str, *, timeout: float = 60) -> dict:
    """Poll a task to its end."""
    deadline = time.monotonic() + timeout
    while True:
        task = await client.json(f"/api/v0/tasks/{task_id}")
        if task["state"] in {"Succeeded", "Failed", "Canceled"}:
            return task
        assert time.monotonic() < deadline, f"not finished in {timeout} s: {json.dumps(task)}"
        await asyncio.sleep(0.05)


async def import_course(client: Client, course: str, archive: bytes, **query) -> dict:
    answer = await push(client, course, archive, **query)
    assert answer.status_code == 202, answer.text
    task = await finished(client, answer.json()["task_id"])
    assert task["state"] == "Succeeded", json.dumps(task, indent=1)
    return task


async def export_course(client: Client, course: str, **query) -> bytes:
    deadline = time.monotonic() + 60
    while True:
        answer = await client.get(
            f"/api/v0/export/{course}", params=query or None, headers={"Accept": "application/x-tgz"}
        )
        if answer.status_code == 200:
            return answer.content
        assert answer.status_code == 202, answer.text
        assert time.monotonic() < deadline
        await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))


async def blocks_of(client: Client, course: str, **query) -> dict:
    parameters = {
        "course_id": course,
        "username": client.username,
        "depth": "all",
        "requested_fields": "children,graded,format,due,start",
        **query,
    }
    return await client.json("/api/courses/v1/blocks/", params=parameters)


async def enroll(client: Client, course: str, **fields) -> httpx.Response:
    return await client.post("/api/enrollment/v1/enrollment", json={"course_details": {"course_id": course}, **fields})


def quoted(key: str) -> str:
    return quote(key, safe="")
