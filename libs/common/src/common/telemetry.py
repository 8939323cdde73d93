"""Logs as JSON lines with a request id that follows a change from HTTP over the bus to its effect; metrics."""

import logging
import re
import sys
import uuid
from collections.abc import MutableMapping
from contextvars import ContextVar

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

REQUEST_ID_HEADER = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}\Z")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)

REQUESTS = Counter("lectern_http_requests_total", "Requests answered", ["service", "method", "route", "status"])
SECONDS = Histogram(
    "lectern_http_request_seconds",
    "Time to answer",
    ["service", "method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 20, 60),
)
_SECRETS = re.compile(r"secret|password|token|authorization|cookie", re.IGNORECASE)


def new_request_id() -> str:
    return uuid.uuid4().hex


def accepted_request_id(value: str | None) -> str:
    """A client's request id when it is a harmless one, else a new one."""
    return value if value and _REQUEST_ID.match(value) else new_request_id()


def accepted_traceparent(value: str | None) -> str | None:
    return value if value and _TRACEPARENT.match(value) else None


def _redact(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name in event:
        if _SECRETS.search(name):
            event[name] = "***"
    return event


def _with_request_id(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    if (current := request_id.get()) is not None:
        event.setdefault("request_id", current)
    return event


def _orjson(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str).decode()


def configure_logging(*, service: str, level: str, style: str) -> None:
    """Route structlog and the standard library's loggers (uvicorn, aio-pika, alembic) to one stream in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_orjson)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aio_pika", "aiormq", "aiormq.connection", "alembic", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    structlog.contextvars.bind_contextvars(service=service)


def metrics_page() -> tuple[bytes, str]:
    """Body and content type of `/metrics`."""
    return generate_latest(), CONTENT_TYPE_LATEST
