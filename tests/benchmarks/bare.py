"""Bare ASGI applications that answer what the measured thing answers, and nothing more; each in its own process."""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).parent


@asynccontextmanager
async def bare_app(kind: str, **options: object) -> AsyncIterator[str]:
    """The URL of an application of this module's process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "bare.py"), json.dumps({"kind": kind, "port": port, **options})
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


def _fixed(body: bytes):
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }
    answer = {"type": "http.response.body", "body": body}

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send(start)
            await send(answer)

    return app


def _file(path: str):
    from starlette.responses import FileResponse

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await FileResponse(path)(scope, receive, send)

    return app


def _statement(options: dict):
    """One constant statement with constant arguments; its text between two others."""
    import asyncpg

    pool = None
    lock = asyncio.Lock()
    statement, column = options["statement"], options["column"]
    arguments = list(options["arguments"])
    head, tail = options["head"].encode(), options["tail"].encode()

    async def app(scope, receive, send):
        nonlocal pool
        if scope["type"] != "http":
            return
        async with lock:
            if pool is None:
                settings = {"enable_seqscan": "off", "jit": "off"}
                pool = await asyncpg.create_pool(
                    options["database"], min_size=4, max_size=4, server_settings=settings, reset=_keep
                )
                if statement.count("$3") and arguments[2:3] == [None]:
                    arguments[2] = await pool.fetchval("select timestamptz 'infinity'")
        row = await pool.fetchrow(statement, *arguments)
        body = head + (row[column] or "").encode() + tail
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _edit(options: dict):
    """Lock, read one row, write the next one and a version: the statements of an edit, and nothing else."""
    import asyncpg
    import orjson

    from content.versions.models import DRAFT, difference, make_row
    from content.versions.operations import Author, lock_branches, write_version

    pool = None
    lock = asyncio.Lock()
    course, block = options["course"], options["block"]
    read = """select type, parent_id, definition, settings from block
      where branch_id = $1 and block_id = $2 and to_version is null"""
    counter = itertools.count()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}

    async def app(scope, receive, send):
        nonlocal pool
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        async with lock:
            if pool is None:
                pool = await asyncpg.create_pool(options["database"], min_size=4, max_size=8, reset=_keep)
        async with pool.acquire() as connection, connection.transaction():
            head = (await lock_branches(connection, course, [DRAFT]))[DRAFT]
            row = await connection.fetchrow(read, head.branch_id, block)
            settings = orjson.loads(row["settings"]) | {"note": f"bare {options['port']} {next(counter)}"}
            made = make_row(
                block, row["type"], parent=row["parent_id"], definition=row["definition"], settings=settings
            )
            await write_version(connection, head, difference({block: made}, {}), Author(1, "bench", "edit"))
        await send(start)
        await send({"type": "http.response.body", "body": b"{}"})

    return app


def _enroll(options: dict):
    """The enroll POST's statement, with nothing around it but reading the body and writing the reply."""
    import asyncpg
    import orjson

    from common.messaging import outbox
    from enrollment.enrollments.statements import ENROLL

    pool = None
    lock = asyncio.Lock()

    async def app(scope, receive, send):
        nonlocal pool
        if scope["type"] != "http":
            return
        async with lock:
            if pool is None:
                settings = {"enable_seqscan": "off", "jit": "off"}
                pool = await asyncpg.create_pool(
                    options["database"],
                    min_size=options["pool"],
                    max_size=options["pool"],
                    init=_json,
                    server_settings=settings,
                    reset=_keep,
                )
        content = b""
        more = True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        asked = orjson.loads(content)
        key = asked["course_details"]["course_id"]
        row = await pool.fetchrow(
            ENROLL, asked["user"], None, key, None, None, True, True, False, False, [], [], [], False, False,
            None, None, None, None, "api key", None, outbox.new_id(), {},
        )  # fmt: skip
        body = row["body"].encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _json(connection) -> None:
    import orjson

    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


async def _keep(connection) -> None:
    """Nothing to reset, as in our own pool."""


def main() -> None:
    import uvicorn

    options = json.loads(sys.argv[1])
    if options["kind"] == "fixed":
        app = _fixed(b'{"x":"' + b"y" * (options["size"] - 8) + b'"}')
    elif options["kind"] == "statement":
        app = _statement(options)
    elif options["kind"] == "edit":
        app = _edit(options)
    elif options["kind"] == "enroll":
        app = _enroll(options)
    else:
        app = _file(options["path"])
    os.environ.pop("WEB_CONCURRENCY", None)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options["port"],
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
