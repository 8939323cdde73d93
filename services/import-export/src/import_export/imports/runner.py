"""What a worker does with an import: read the archive, stage its files, send the command."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from common.blobs import BlobStore, asset_key, exists
from import_export.imports.operations import send_import
from import_export.imports.queries import find_same_archive, find_what_it_made
from import_export.settings import Settings
from import_export.spool import spool_folder
from import_export.tasks.models import Json, State
from import_export.tasks.operations import finish_job
from import_export.tasks.worker import Held, JobFailed
from olx.limits import Limits
from olx.parser_process import ParseAnswer, ParserProcess, SpooledAsset

# Where the snapshot lies, the report, and the snapshot's SHA-256.
Read = tuple[str, Json, str | None]
# The reader keeps its own time; it is killed only when it does not.
PATIENCE_SECONDS = 15.0


class Importer:
    """Carries out imports with one reader process, started before the first archive comes."""

    def __init__(self, reader: ParserProcess, settings: Settings) -> None:
        self._reader, self._settings = reader, settings
        self._limits = Limits(
            total_bytes=settings.max_unpacked_bytes,
            members=settings.max_members,
            ratio=settings.max_ratio,
            seconds=settings.parse_seconds,
        )

    async def work(self, held: Held) -> None:
        """Ends with the command in the outbox. Raises `JobFailed`, `LeaseLost`."""
        job = held.job
        if job.option("round_trip"):
            await self._try_round_trip(held)
            return
        known = await self._known(held)
        snapshot, report, digest = known or await self._read(held)
        if job.option("strict"):
            refuse_errors(report)
        counts = report.get("counts")
        async with held.row() as (session, row):
            row.snapshot_digest = digest
            send_import(
                session,
                row,
                snapshot=snapshot,
                report=report,
                made=await find_what_it_made(session, row) if digest else None,
                counts=dict(counts) if isinstance(counts, dict) else {},
                now=datetime.now(UTC),
                seconds=self._settings.command_seconds,
            )

    async def _known(self, held: Held) -> Read | None:
        """What reading these bytes gave before: known when they came, or read since by the job before this one.

        A job that has asked content before is back because files were gone: it has to store them anew.
        """
        job = held.job
        if job.command_id is not None:
            return None
        if job.snapshot is None:
            async with held.resources.sessions() as session:
                earlier = await find_same_archive(
                    session, digest=job.archive_digest, course_id=job.course_id, links=job.options["links"]
                )
            if earlier is None:
                return None
        else:
            earlier = job
        if earlier.snapshot is None or not await exists(held.resources.blobs, earlier.snapshot):
            return None
        return earlier.snapshot, earlier.report or {}, earlier.snapshot_digest

    async def _try_round_trip(self, held: Held) -> None:
        """Read, compare with what an export would be read as, and that is the end."""
        with spool_folder(self._settings, "read-") as folder:
            answer, _ = await self._parse(held, folder)
        found = answer.round_trip or {}
        report = answer.report | {"round_trip": found}
        counts = report.get("counts")
        if held.job.option("strict"):
            refuse_errors(report)
        async with held.row() as (session, row):
            row.report = report
            row.counts = (dict(counts) if isinstance(counts, dict) else {}) | {
                "round_trip_differences": found.get("count", 0),
                "outcome": "equal" if found.get("equal") is True else "different",
            }
            await finish_job(session, row, State.SUCCEEDED, now=datetime.now(UTC))

    async def _read(self, held: Held) -> Read:
        with spool_folder(self._settings, "read-") as folder:
            answer, read = await self._parse(held, folder)
            snapshot = held.job.snapshot_key
            staging = asyncio.ensure_future(stage(held.resources.blobs, answer.assets, {snapshot: read}))
            try:
                await held.progress(State.VERIFYING, "Storing files", 50)
            finally:
                # a thread goes on writing whatever becomes of the job, and needs the folder until it has ended
                await staging
            return snapshot, answer.report, answer.snapshot_digest

    async def _parse(self, held: Held, folder: Path) -> tuple[ParseAnswer, Path]:
        """The answer and the snapshot in it. Raises `JobFailed` with the reader's refusal."""
        job, blobs = held.job, held.resources.blobs
        if not await exists(blobs, job.upload_key):
            raise JobFailed("upload_gone", "Uploaded Tar file not found. Try again.")
        archive = blobs.local_path(job.upload_key) or await fetch(blobs, job.upload_key, folder / "archive")
        spool = folder / "files"
        spool.mkdir()
        answer = await self._reader.parse(
            archive,
            spool,
            course_id=job.course_id,
            filename=job.filename or "course.tar.gz",
            links="skip" if job.options["links"] == "skip" else "refuse",
            limits=self._limits,
            round_trip=job.option("round_trip"),
            timeout=self._limits.seconds + PATIENCE_SECONDS,
        )
        if not answer.ok or answer.snapshot is None:
            code, message = answer.code or "unreadable", answer.message or "The archive cannot be read."
            raise JobFailed(code, message, member=answer.member, report=answer.report)
        return answer, answer.snapshot


def refuse_errors(report: Json) -> None:
    """`strict`: raises `JobFailed` when the report holds an error."""
    entries = report.get("entries")
    errors = [entry for entry in entries if entry.get("severity") == "error"] if isinstance(entries, list) else []
    if errors:
        first = errors[0]
        raise JobFailed(
            "strict",
            f"The archive has {len(errors)} errors and a strict import was asked for; the first is: {first['message']}",
            member=first.get("file"),
            report=report,
        )


async def fetch(blobs: BlobStore, key: str, target: Path) -> Path:
    """A local copy of a blob."""
    with target.open("wb") as out:
        async for chunk in blobs.stream(key):
            await asyncio.to_thread(out.write, chunk)
    return target


async def stage(blobs: BlobStore, assets: Mapping[str, SpooledAsset], others: Mapping[str, Path]) -> None:
    """Put the files that the store does not hold yet, and the *others*. Equal bytes are one blob."""
    named = {asset_key(digest): asset for digest, asset in assets.items()}
    there = await blobs.sizes(list(named))
    missing = {key: asset.path for (key, asset), size in zip(named.items(), there, strict=True) if size != asset.size}
    await blobs.take_files(missing | dict(others))
