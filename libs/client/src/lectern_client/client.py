"""The typed client. One instance serves many threads; close it, or use it in a `with`."""

import csv
import io
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx

from lectern_client.errors import TaskFailed, TaskNotFinished, Unreachable
from lectern_client.models import (
    Enrollment,
    Export,
    Job,
    Parked,
    ParkedMessage,
    ParkedPage,
    Report,
    Started,
    StartedJob,
    Task,
    TaskPage,
)
from lectern_client.rows import COLUMNS
from lectern_client.wire import FIRST_PAUSE, LONGEST_PAUSE, Wire, retry_after

ARCHIVE_TYPE = "application/x-tgz"
STEP = 256 * 1024
JOBS_URL = "/api/enrollment_jobs/v1"
Progress = Callable[[int, int], None]
"""Bytes so far, bytes in all (0 when the server does not say)."""


class Client(Wire):
    """Lectern at *base_url*, as the OAuth2 client of a robot.

    Every method raises `Refused` (with the server's status, code and message), `NotAuthenticated` or `Unreachable`.
    """

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
            f"/api/v0/import/{_part(course_id)}",
            params=query,
            headers=headers,
            body=lambda: _read(archive, size, on_progress),
        )
        started = self._parse(answer, Started)
        return self.task(started.task_id)

    def task(self, task_id: str) -> Task:
        return self._parse(self._send("GET", f"/api/v0/tasks/{_part(task_id)}"), Task)

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
        return _until_ended(lambda: self.task(task_id), task_id, timeout=timeout, on_change=on_change)

    def cancel(self, task: Task | str) -> Task:
        """Refused (409) once the import can no longer be stopped."""
        task_id = task if isinstance(task, str) else task.task_id
        return self._parse(self._send("POST", f"/api/v0/tasks/{_part(task_id)}/cancel"), Task)

    def report(self, task: Task | str) -> Report:
        """What reading the archive has shown."""
        task_id = task if isinstance(task, str) else task.task_id
        return self._parse(self._send("GET", f"/api/v0/tasks/{_part(task_id)}/report"), Report)

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
            with self._stream("GET", f"/api/v0/export/{_part(course_id)}", params=query, headers=headers) as answer:
                if answer.status_code == 304:
                    return Export(etag=etag, path=None, size=0)
                if answer.status_code == 200:
                    size = _write(answer, target, on_progress)
                    return Export(etag=answer.headers.get("ETag", "").strip('"') or None, path=target, size=size)
                answer.read()
                started = self._parse(answer, Started)
                pause = retry_after(answer, 2.0)
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

    def start_enrollment_job(self, rows: Sequence[dict[str, str]], *, dry_run: bool = False) -> Job:
        """Any number of enrollments as one job; `wait_for_job` for its outcome. Columns as in `lectern_client.rows`.

        With *dry_run* the job says what would become of each row.
        """
        data = _as_csv(rows)
        headers = {"Content-Type": "text/csv", "Content-Length": str(len(data))}
        headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        query = {"dry_run": "true"} if dry_run else {}
        answer = self._send("POST", f"{JOBS_URL}/enrollments", params=query, headers=headers, body=lambda: iter([data]))
        return self.job(self._parse(answer, StartedJob).job_id)

    def job(self, job_id: str) -> Job:
        return self._parse(self._send("GET", f"{JOBS_URL}/jobs/{_part(job_id)}"), Job)

    def job_result(self, job: Job | str) -> bytes:
        """What became of each row, as CSV."""
        job_id = job if isinstance(job, str) else job.job_id
        return self._send("GET", f"{JOBS_URL}/jobs/{_part(job_id)}/result", params={"fmt": "csv"}).content

    def wait_for_job(
        self, job: Job | str, *, timeout: float = 3600.0, on_change: Callable[[Job], None] | None = None
    ) -> Job:
        """The job when it has ended, however it ended. Raises `TaskNotFinished` when the time is over."""
        job_id = job if isinstance(job, str) else job.job_id
        return _until_ended(lambda: self.job(job_id), job_id, timeout=timeout, on_change=on_change)

    # --- operations

    def parked(self, service: str, *, state: str = "parked") -> Iterator[Parked]:
        """Messages a service could not handle, oldest first, page after page."""
        query = {"state": state}
        while True:
            answer = self._send("GET", f"/api/operations/v1/{_part(service)}/parked", params=query)
            found = self._parse(answer, ParkedPage)
            yield from found.results
            if found.next is None:
                return
            query["after"] = found.next

    def parked_message(self, service: str, parked_id: str) -> dict[str, object]:
        """The whole message, with its audit."""
        answer = self._send("GET", f"/api/operations/v1/{_part(service)}/parked/{_part(parked_id)}")
        return self._parse(answer, ParkedMessage).root

    def decide_parked(
        self, service: str, parked_id: str, decision: Literal["replay", "discard"], *, reason: str = ""
    ) -> Parked:
        """Hand a message to its queue again, or give it up."""
        path = f"/api/operations/v1/{_part(service)}/parked/{_part(parked_id)}/{decision}"
        return self._parse(self._send("POST", path, json={"reason": reason}), Parked)


def _as_csv(rows: Sequence[dict[str, str]]) -> bytes:
    named = [name for name in COLUMNS if any(name in row for row in rows)]
    out = io.StringIO()
    writer = csv.DictWriter(out, named, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _part(text: str) -> str:
    """Part of a path: whatever was typed, it cannot become another path."""
    return quote(text, safe=":+/@~").replace("..", "%2E%2E")


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


Ending = TypeVar("Ending", Task, Job)


def _until_ended(
    read: Callable[[], Ending], name: str, *, timeout: float, on_change: Callable[[Ending], None] | None
) -> Ending:
    """What *read* gives once it has ended. Raises `TaskNotFinished` when the time is over."""
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        current = read()
        if on_change:
            on_change(current)
        if current.has_ended:
            return current
        if time.monotonic() + pause > deadline:
            raise TaskNotFinished(name, timeout)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
