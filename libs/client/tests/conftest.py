"""A small Lectern of the tests' own: a real HTTP server that keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from lectern_client import Client

TASK = "01a20ad9-1192-7282-b1ac-f2fe7ce18ed5"


@dataclass
class Lectern:
    """What the server was asked, and how it shall answer."""

    url: str = ""
    token_life: float = 3600
    token_requests: int = 0
    refused_tokens: set[str] = field(default_factory=set)
    uploads: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    states: list[dict[str, object]] = field(default_factory=lambda: [{"state": "Succeeded", "percent": 100}])
    report: dict[str, object] = field(default_factory=lambda: {"entries": [], "counts": {"blocks": 3}})
    refusals: list[tuple[int, dict[str, str], object]] = field(default_factory=list)
    drop_next: int = 0
    archive: bytes = b"the archive" * 1000
    etag: str = "a" * 24
    pending_exports: int = 0
    cut_download: bool = False
    enrolled: list[object] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    job: dict[str, object] = field(
        default_factory=lambda: {"state": "Succeeded", "text": "200", "outcomes": {"enrolled": 2}}
    )
    job_queries: list[dict[str, str]] = field(default_factory=list)
    decisions: list[tuple[str, object]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lectern: ClassVar[Lectern]

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def task(self) -> dict[str, object]:
        lectern = self.lectern
        state = lectern.states[0] if len(lectern.states) == 1 else lectern.states.pop(0)
        url = f"{lectern.url}/api/v0/tasks/{TASK}"
        return {"task_id": TASK, "kind": "import", "course_id": "course-v1:O+C+R", "url": url, "unknown": 1} | {
            "report_url": f"{url}/report",
            "counts": {"created": 3},
            **state,
        }

    def handle_one(self) -> None:
        lectern = self.lectern
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lectern.seen.append((self.command, parts.path))
        if parts.path == "/oauth2/access_token":
            lectern.token_requests += 1
            if self.headers.get("Authorization") != "Basic cm9ib3Q6czNjcjN0":
                return self.answer(401, {"error": "invalid_client"})
            token = {
                "access_token": f"t{lectern.token_requests}",
                "token_type": "JWT",
                "expires_in": lectern.token_life,
            }
            return self.answer(200, token)
        if self.headers["Authorization"].removeprefix("JWT ") in lectern.refused_tokens:
            return self.answer(401, {"developer_message": "Token has expired.", "error_code": "token_expired"})
        if lectern.drop_next:
            lectern.drop_next -= 1
            self.close_connection = True
            return None
        if lectern.refusals:
            status, headers, refusal = lectern.refusals.pop(0)
            return self.answer(status, refusal, headers)
        return self.route(parts.path, query, body)

    def route(self, path: str, query: dict[str, str], body: bytes) -> None:
        lectern = self.lectern
        if path.startswith("/api/v0/import/"):
            lectern.uploads.append((query | {"idempotency-key": self.headers["Idempotency-Key"]}, body))
            return self.answer(202, {"task_id": TASK, "url": f"{lectern.url}/api/v0/tasks/{TASK}"})
        if path.endswith("/report"):
            return self.answer(200, lectern.report)
        if path.startswith("/api/v0/tasks/"):
            return self.answer(200, self.task())
        if path == "/api/v0/tasks":
            page = int(query["page"])
            following = None if page == 2 else f"{lectern.url}/api/v0/tasks?page=2"
            return self.answer(200, {"count": 2, "next": following, "results": [self.task() | {"task_id": str(page)}]})
        if path.startswith("/api/v0/export/"):
            return self.export()
        if path == "/api/enrollment/v1/enrollment":
            lectern.enrolled.append(json.loads(body))
            return self.answer(200, {"user": "alice", "mode": "audit", "is_active": True})
        if path.startswith("/api/enrollment_jobs/v1/"):
            return self.enrollment_job(path, query, body)
        if path.startswith("/api/operations/v1/"):
            return self.parked(path, query, body)
        return self.answer(404, {"developer_message": "Not found.", "error_code": "not_found"})

    def enrollment_job(self, path: str, query: dict[str, str], body: bytes) -> None:
        lectern = self.lectern
        if path == "/api/enrollment_jobs/v1/enrollments":
            lectern.jobs.append(body.decode())
            lectern.job_queries.append(query)
            return self.answer(202, {"job_id": TASK, "job_url": f"{lectern.url}/api/enrollment_jobs/v1/jobs/{TASK}"})
        if path.endswith("/result"):
            return self.answer(200, b"username,outcome\r\na,rejected\r\n", {"Content-Type": "text/csv"})
        return self.answer(200, {"job_id": TASK, "name": "a:write:enrollments", **lectern.job})

    def parked(self, path: str, query: dict[str, str], body: bytes) -> None:
        lectern = self.lectern
        line = {"id": TASK, "queue": "enrollment.commands", "type": "enrollment.enroll.v1", "reason": "malformed"}
        line |= {"error": "not [JSON]", "state": "parked", "attempts": 1}
        if self.command == "POST":
            decision = path.rpartition("/")[2]
            lectern.decisions.append((decision, json.loads(body)))
            return self.answer(200, line | {"state": f"{decision}ed"})
        if path.endswith("/parked"):
            following = None if "after" in query else TASK
            return self.answer(200, {"results": [line], "next": following})
        return self.answer(200, line | {"body": "{", "audit": []})

    def export(self) -> None:
        lectern = self.lectern
        if lectern.pending_exports:
            lectern.pending_exports -= 1
            return self.answer(202, {"task_id": TASK, "url": "x"}, {"Retry-After": "0"})
        if self.headers.get("If-None-Match") == f'"{lectern.etag}"':
            return self.answer(304, b"")
        headers = {"ETag": f'"{lectern.etag}"', "Content-Type": "application/x-tgz"}
        if lectern.cut_download:
            headers["Content-Length"] = str(len(lectern.archive) + 1)
            self.close_connection = True
        return self.answer(200, lectern.archive, headers)

    do_GET = do_POST = handle_one  # noqa: N815 - the base class looks for these names


@pytest.fixture
def lectern() -> Iterator[Lectern]:
    state = Lectern()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"lectern": state}))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(lectern: Lectern) -> Iterator[Client]:
    with Client(lectern.url, "robot", "s3cr3t") as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "course.tar.gz"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept
