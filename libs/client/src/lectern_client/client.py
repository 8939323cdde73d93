"""The typed client. One instance serves many threads; close it, or use it in a `with`."""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from lectern_client.errors import NotAuthenticated, Refused, TaskFailed, TaskNotFinished, Unreachable
from lectern_client.models import Enrollment, Export, Report, Started, Task, TaskPage
from lectern_client.tokens import ClientCredentials

ARCHIVE_TYPE = "application/x-tgz"
STEP = 256 * 1024
TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0

Progress = Callable[[int, int], None]
"""Bytes so far, bytes in all (0 when the server does not say)."""

M = TypeVar("M", bound=BaseModel)


class Client:
    """Lectern at *base_url*, as the OAuth2 client of a robot.

    Every method raises `Refused` (with the server's status, code and message), `NotAuthenticated` or `Unreachable`.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport,
            headers={"User-Agent": "lectern-client/0.1"},
        )
        self._credentials = ClientCredentials(self._http, client_id, client_secret)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def authenticate(self) -> None:
        """Prove the credentials now instead of at the first request."""
        self._credentials.token(fresh=True)

    # --- imports

    def import_course(
        self,
        archive: Path,
        course_id: str,
        *,
        dry_run: bool = False,
        links: Literal["refuse", "skip"] = "refuse",
        strict: bool = False,
        publish: bool = True,
        source_repo: str | None = None,
        source_sha: str | None = None,
        message: str | None = None,
        on_progress: Progress | None = None,
    ) -> Task:
        """Upload an archive and begin its import; `wait` for the task that comes back.

        The upload carries an idempotency key: a connection that breaks after the server has stored it, and the upload
        that is then sent again, make one task.
        """
        size = archive.stat().st_size
        flags = {"dry_run": dry_run, "strict": strict, "publish": publish}
        texts = {"links": links, "source_repo": source_repo, "source_sha": source_sha, "message": message}
        query = {name: "true" if value else "false" for name, value in flags.items()}
        query |= {name: value for name, value in texts.items() if value is not None} | {"filename": archive.name}
        headers = {
            "Content-Type": ARCHIVE_TYPE,
            "Content-Length": str(size),
            "Idempotency-Key": secrets.token_urlsafe(24),
        }
        answer = self._send(
            "POST",
            f"/api/v0/import/{course_id}",
            params=query,
            headers=headers,
            body=lambda: _read(archive, size, on_progress),
        )
        started = self._parse(answer, Started)
        return self.task(started.task_id)

    def task(self, task_id: str) -> Task:
        return self._parse(self._send("GET", f"/api/v0/tasks/{task_id}"), Task)

    def tasks(self, course_id: str | None = None) -> Iterator[Task]:
        """Tasks of a course, or one's own; newest first, page after page."""
        page = 1
        while True:
            query = {"page": str(page)} | ({"course_id": course_id} if course_id else {})
            found = self._parse(self._send("GET", "/api/v0/tasks", params=query), TaskPage)
            yield from found.results
            if not found.next:
                return
            page += 1

    def wait(
        self,
        task: Task | str,
        *,
        timeout: float = 3600.0,
        on_change: Callable[[Task], None] | None = None,
    ) -> Task:
        """The task when it has ended, however it ended. Raises `TaskNotFinished` when the time is over."""
        task_id = task if isinstance(task, str) else task.task_id
        deadline = time.monotonic() + timeout
        pause = FIRST_PAUSE
        while True:
            current = self.task(task_id)
            if on_change:
                on_change(current)
            if current.has_ended:
                return current
            if time.monotonic() + pause > deadline:
                raise TaskNotFinished(task_id, timeout)
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def cancel(self, task: Task | str) -> Task:
        """Refused (409) once the import can no longer be stopped."""
        task_id = task if isinstance(task, str) else task.task_id
        return self._parse(self._send("POST", f"/api/v0/tasks/{task_id}/cancel"), Task)

    def report(self, task: Task | str) -> Report:
        """What reading the archive has shown."""
        task_id = task if isinstance(task, str) else task.task_id
        return self._parse(self._send("GET", f"/api/v0/tasks/{task_id}/report"), Report)

    # --- exports

    def export_course(
        self,
        course_id: str,
        target: Path,
        *,
        branch: Literal["published", "draft"] | None = None,
        version: str | None = None,
        etag: str | None = None,
        timeout: float = 3600.0,
        on_progress: Progress | None = None,
    ) -> Export:
        """Download a course; *target* appears whole or not at all.

        With the *etag* of an earlier export nothing is downloaded while the course has not changed.
        """
        query = {name: value for name, value in (("branch", branch), ("version", version)) if value}
        headers = {"Accept": ARCHIVE_TYPE, "Accept-Encoding": "identity"} | (
            {"If-None-Match": f'"{etag}"'} if etag else {}
        )
        deadline = time.monotonic() + timeout
        while True:
            with self._stream("GET", f"/api/v0/export/{course_id}", params=query, headers=headers) as answer:
                if answer.status_code == 304:
                    return Export(etag=etag, path=None, size=0)
                if answer.status_code == 200:
                    size = _write(answer, target, on_progress)
                    return Export(etag=answer.headers.get("ETag", "").strip('"') or None, path=target, size=size)
                answer.read()
                started = self._parse(answer, Started)
                pause = _retry_after(answer, 2.0)
            if time.monotonic() + pause > deadline:
                raise TaskNotFinished(started.task_id, timeout)
            time.sleep(pause)
            task = self.task(started.task_id)
            if task.has_ended and not task.has_succeeded:
                raise TaskFailed(task)

    # --- enrollment

    def enroll(self, username: str, course_id: str, *, mode: str | None = None, is_active: bool = True) -> Enrollment:
        """Enroll one learner; many are better enrolled by one command on the bus."""
        body: dict[str, object] = {
            "user": username,
            "course_details": {"course_id": course_id},
            "is_active": is_active,
        }
        if mode:
            body["mode"] = mode
        return self._parse(self._send("POST", "/api/enrollment/v1/enrollment", json=body), Enrollment)

    # --- the wire

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
    ) -> httpx.Response:
        """What can be repeated is repeated, a few times, when the network or a server in front of Lectern fails."""
        repeatable = method == "GET" or (headers is not None and "Idempotency-Key" in headers)
        last: Exception | None = None
        for attempt in range(TRIES if repeatable else 1):
            if attempt:
                time.sleep(FIRST_PAUSE * 4**attempt)
            request = self._http.build_request(
                method, path, params=params, headers=headers, json=json, content=body() if body else None
            )
            try:
                answer = self._http.send(request, auth=self._credentials)
            except httpx.HTTPError as error:
                last = error
                continue
            if answer.status_code == 429 and attempt < TRIES - 1:
                time.sleep(_retry_after(answer, 1.0))
                continue
            if answer.status_code in (502, 503, 504) and repeatable and attempt < TRIES - 1:
                continue
            return _checked(answer)
        raise Unreachable(f"{self._http.base_url} cannot be reached: {last}") from last

    @contextlib.contextmanager
    def _stream(
        self, method: str, path: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        request = self._http.build_request(method, path, params=params, headers=headers)
        try:
            answer = self._http.send(request, auth=self._credentials, stream=True)
            try:
                if answer.is_error:
                    answer.read()
                    _checked(answer)
                yield answer
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._http.base_url} cannot be reached: {error}") from error

    def _parse(self, answer: httpx.Response, model: type[M]) -> M:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise Unreachable(f"{answer.request.url} does not answer like a Lectern: {error}") from error


def _read(archive: Path, size: int, on_progress: Progress | None) -> Iterator[bytes]:
    sent = 0
    with archive.open("rb") as source:
        while data := source.read(STEP):
            yield data
            sent += len(data)
            if on_progress:
                on_progress(sent, size)


def _write(answer: httpx.Response, target: Path, on_progress: Progress | None) -> int:
    total = int(answer.headers.get("Content-Length", 0))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    size = 0
    try:
        with part.open("xb") as out:
            for data in answer.iter_raw(STEP):
                out.write(data)
                size += len(data)
                if on_progress:
                    on_progress(size, total)
        if total and size != total:
            raise Unreachable(f"The download ended after {size} of {total} bytes.")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def _retry_after(answer: httpx.Response, default: float) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isdecimal() else default


def _checked(answer: httpx.Response) -> httpx.Response:
    """Raises `NotAuthenticated` or `Refused` with what the server says, whichever family its error body is of."""
    if not answer.is_error:
        return answer
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    body = parsed if isinstance(parsed, dict) else {}
    words = (body.get(name) for name in ("developer_message", "detail", "message", "error"))
    message = next((word for word in words if isinstance(word, str) and word), f"Status {answer.status_code}.")
    fields = body.get("field_errors")
    if isinstance(fields, dict):
        message += "".join(f" {name}: {item.get('developer_message')}" for name, item in fields.items())
    code = body.get("error_code") or body.get("code")
    kind = NotAuthenticated if answer.status_code == 401 else Refused
    raise kind(answer.status_code, str(code) if code else None, message, body)
