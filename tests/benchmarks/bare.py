"""Bare ASGI applications that answer what the measured thing answers, and nothing more; each in its own process."""

import asyncio
import contextlib
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


def main() -> None:
    import uvicorn

    options = json.loads(sys.argv[1])
    if options["kind"] == "fixed":
        app = _fixed(b'{"x":"' + b"y" * (options["size"] - 8) + b'"}')
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
