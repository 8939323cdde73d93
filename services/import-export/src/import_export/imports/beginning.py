"""From a request to a task: who may, what came, whole or in parts, and the job in one transaction with the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from common import idempotency
from common.blobs import exists, take_file
from common.errors import Refusal
from common.identity import Caller, request_base
from common.messaging import crash
from common.resources import Resources
from import_export.courses.models import Standing
from import_export.courses.queries import require_author
from import_export.imports.errors import ImportInProgress, SnapshotSuperseded
from import_export.imports.operations import start_import
from import_export.imports.queries import find_import_under_way, find_same_archive
from import_export.settings import Settings
from import_export.tasks.models import Job
from import_export.tasks.operations import new_job_id
from import_export.tasks.schemas import task_url
from import_export.uploads.errors import BadContentRange, ChecksumMismatch
from import_export.uploads.models import PartialUpload, Question, Range, announced_checksum, read_content_range
from import_export.uploads.operations import (
    Upload,
    as_archive,
    clean_filename,
    default_filename,
    printable,
    receive_body,
)
from import_export.uploads.parts import close_upload, find_partial, forget_upload, store_part, whole_upload
from import_export.uploads.schemas import FORM_NAMES, ImportRequest, read_import_request


@dataclass(frozen=True, slots=True)
class Begun:
    """The upload is complete and has become a task; `body` is the answer, which an idempotency key repeats."""

    task_id: UUID
    body: bytes
    filename: str

    @property
    def url(self) -> str:
        return str(orjson.loads(self.body)["url"])


@dataclass(frozen=True, slots=True)
class Partly:
    """Some of the upload has come."""

    filename: str
    received: int


@dataclass
class Beginning:
    """One request that brings an archive, or a part of one; `filename` is known once the body has been read."""

    request: Request
    resources: Resources
    settings: Settings
    caller: Caller
    standing: Standing
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Options that the address itself says."""
    filename: str = ""

    @property
    def requester(self) -> str:
        return self.caller.username or ""

    async def carry_out(self) -> Begun | Partly:
        """Raises the refusals of uploads and imports."""
        query = self.request.query_params
        early = read_import_request(query, self.fixed)
        checksum = announced_checksum(self.request.headers, query)
        if early.busy == "refuse":
            await self._refuse_busy()
        given = self.request.headers.get("content-range")
        place = read_content_range(given) if given is not None else None
        if isinstance(place, Question):
            return await self._progress(place)
        async with receive_body(self.request, self.settings, form_names=FORM_NAMES) as upload:
            self.filename = printable(upload.filename or query.get("filename", ""))
            asked = read_import_request(upload.fields, query, self.fixed)
            checksum = announced_checksum(self.request.headers, query, upload.fields)
            if place is not None and not place.is_whole:
                return await self._take_part(upload, place, asked, checksum)
            if place is not None and upload.size != place.size:
                raise BadContentRange(f"Content-Range names {place.size} bytes, the body has {upload.size}.")
            upload = as_archive(upload)
            if checksum not in (None, upload.digest):
                raise ChecksumMismatch(received=upload.digest)
            return await self._store(upload, asked)

    async def _refuse_busy(self) -> None:
        """Before the upload: it would be for nothing. The transaction that begins the import decides again."""
        async with self.resources.sessions() as session:
            other = await find_import_under_way(session, self.standing.course_id)
        if other is not None:
            raise ImportInProgress(task_id=str(other))

    def _filename(self, given: str) -> str:
        return clean_filename(given or default_filename())

    async def _progress(self, question: Question) -> Partly:
        """How far an upload has come, by a request without a body."""
        filename = self._filename(self.request.query_params.get("filename", ""))
        async with self.resources.sessions() as session:
            row = await find_partial(
                session, requester=self.requester, course_id=self.standing.course_id, filename=filename
            )
        fits = row is not None and row.total == question.total
        return Partly(filename, row.received if row is not None and fits else 0)

    async def _take_part(
        self, upload: Upload, place: Range, asked: ImportRequest, checksum: str | None
    ) -> Begun | Partly:
        filename = self._filename(upload.filename)
        row = await store_part(
            self.resources,
            upload,
            place,
            requester=self.requester,
            course_id=self.standing.course_id,
            filename=filename,
            now=datetime.now(UTC),
        )
        if not (place.is_last and row.received == row.total):
            return Partly(filename, place.last + 1)
        if row.task_id is not None:
            return self._begun(row.task_id, filename)
        return await self._complete(row, asked, checksum)

    async def _complete(self, row: PartialUpload, asked: ImportRequest, checksum: str | None) -> Begun:
        async with whole_upload(self.resources, self.settings, row) as upload:
            try:
                upload = as_archive(upload)
                if checksum not in (None, upload.digest):
                    raise ChecksumMismatch(received=upload.digest)
            except Refusal:
                async with self.resources.sessions.begin() as session:
                    await forget_upload(session, row.id)
                raise
            return await self._store(upload, asked, partial=row.id)

    def _begun(self, task_id: UUID, filename: str) -> Begun:
        url = task_url(request_base(self.request), task_id)
        return Begun(task_id, orjson.dumps({"task_id": str(task_id), "url": url}), filename)

    async def _store(self, upload: Upload, asked: ImportRequest, *, partial: UUID | None = None) -> Begun:
        """The upload first, then the job: a job never waits for bytes that may not come. Known bytes are not kept
        again.
        """
        async with self.resources.sessions() as session:
            earlier = await find_same_archive(
                session, digest=upload.digest, course_id=self.standing.course_id, links=asked.links
            )
        if earlier is not None and not asked.round_trip and await exists(self.resources.blobs, str(earlier.snapshot)):
            try:
                return await self._begin(upload, asked, earlier=earlier, partial=partial)
            except SnapshotSuperseded:
                pass
        return await self._begin(upload, asked, earlier=None, partial=partial)

    async def _begin(self, upload: Upload, asked: ImportRequest, *, earlier: Job | None, partial: UUID | None) -> Begun:
        begun = self._begun(new_job_id(), upload.filename)
        upload_key = f"uploads/{begun.task_id}"
        if earlier is None:
            await take_file(self.resources.blobs, upload_key, upload.path)
        try:
            async with self.resources.sessions.begin() as session:
                first = await self._claim(session, begun, upload, asked)
                if (
                    first is None
                    and partial is not None
                    and (other := await close_upload(session, partial, begun.task_id))
                ):
                    first = self._begun(other, upload.filename)
                if first is None:
                    await start_import(
                        session,
                        begun.task_id,
                        caller=self.caller,
                        standing=self.standing,
                        upload=upload,
                        asked=asked,
                        earlier=earlier,
                        now=datetime.now(UTC),
                    )
        except (Refusal, SnapshotSuperseded):
            await self.resources.blobs.delete(upload_key)
            raise
        # any other error leaves the blob: the commit may have come through, and then the job needs it.
        # `sweep_uploads` takes it when there is no such job
        crash.point("api.after_commit")
        if first is not None:
            await self.resources.blobs.delete(upload_key)
            return first
        return begun

    async def _claim(self, session: AsyncSession, begun: Begun, upload: Upload, asked: ImportRequest) -> Begun | None:
        """What an earlier request with the same idempotency key has begun. Raises `KeyReused`, `BadKey`."""
        key = self.request.headers.get(idempotency.HEADER)
        if key is None:
            return None
        parts = (self.standing.course_id, upload.digest, asked.model_dump_json())
        mark = idempotency.fingerprint("import", "/api/v0/import", "\0".join(parts).encode())
        stored = await idempotency.claim(session, caller=self.requester, key=key, fingerprint=mark)
        if stored is not None:
            return Begun(UUID(orjson.loads(stored.body)["task_id"]), stored.body, upload.filename)
        await idempotency.store(session, caller=self.requester, key=key, status=202, body=begun.body)
        return None


async def open_beginning(
    course: str, request: Request, caller: Caller, *, fixed: Mapping[str, str] | None = None
) -> Beginning:
    """Authorize first, read the body then: a caller without rights uploads nothing."""
    resources: Resources = request.state.resources
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    standing = await require_author(resources, caller, course, may_create=True)
    return Beginning(request, resources, settings, caller, standing, fixed or {})


async def begin_import(course: str, request: Request, caller: Caller) -> Begun | Partly:
    return await (await open_beginning(course, request, caller)).carry_out()
