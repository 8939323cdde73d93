"""A bare ASGI application that runs the statements of a program POST, and nothing more; in a process of its own."""

import json
import sys
from uuid import UUID

import asyncpg
import orjson
import uvicorn

from enrollment.program_enrollments import operations
from enrollment.programs import queries


async def _answer(connection: asyncpg.Connection, path: str, body: bytes) -> bytes:
    program = UUID(path.split("/")[5])
    records = orjson.loads(body)
    keys = [record["student_key"] for record in records]
    statuses = [record["status"] for record in records]
    curricula = [UUID(record["curriculum_uuid"]) for record in records]
    async with connection.transaction():
        row = await connection.fetchrow(queries._LOCK, program)
        await connection.fetch(operations._EXISTING, program, keys)
        await connection.fetch(operations._LINKED, row["organization"], keys)
        users = [None] * len(keys)
        await connection.execute(
            operations._INSERT, program, curricula, keys, keys, statuses, users, "http", "bench", None
        )
    return orjson.dumps(dict(zip(keys, statuses, strict=True)))


def application(url: str):
    pool: asyncpg.Pool | None = None

    async def app(scope, receive, send):
        nonlocal pool
        if scope["type"] != "http":
            return
        if pool is None:
            pool = await asyncpg.create_pool(url, min_size=8, max_size=8, server_settings={"enable_seqscan": "off"})
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        async with pool.acquire() as connection:
            text = await _answer(connection, scope["path"], body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    return app


def main() -> None:
    options = json.loads(sys.argv[1])
    uvicorn.run(
        application(options["url"]),
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
