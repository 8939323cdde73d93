"""A job belongs to the request that began it, in the logs and on the bus, whichever process works on it and when."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.telemetry import request_id, traceparent
from import_export.tasks.models import Job


@contextmanager
def in_context_of(job: Job) -> Iterator[None]:
    """Logs and messages of this block carry the request id and trace of the job."""
    tokens = request_id.set(job.request_id), traceparent.set(job.traceparent)
    try:
        yield
    finally:
        request_id.reset(tokens[0])
        traceparent.reset(tokens[1])
