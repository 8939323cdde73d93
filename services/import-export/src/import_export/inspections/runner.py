"""What a worker does with an inspection: read content's snapshot and count."""

import asyncio
from datetime import UTC, datetime

import orjson

from import_export.inspections.findings import inspect
from import_export.inspections.operations import keep_findings
from import_export.tasks.worker import Held, JobFailed


async def carry_out_inspection(held: Held) -> None:
    """Ends with the findings stored. Raises `JobFailed`, `LeaseLost`."""
    job = held.job
    if job.snapshot is None:
        raise JobFailed("no_snapshot", "Content's answer names no snapshot.")
    data = await held.resources.blobs.get_bytes(job.snapshot)
    findings = await asyncio.to_thread(lambda: inspect(orjson.loads(data)))
    async with held.row() as (session, row):
        await keep_findings(session, row, findings, now=datetime.now(UTC))
