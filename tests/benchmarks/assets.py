"""Downloading an uploaded file from the service, beside a bare ASGI file response of the same bytes."""

import json
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from api import Client
from bare import bare_app
from joserfc.jwk import OKPKey
from load import run
from measure import ROUNDS, Row, interleaved

from common.identity import HEADER, Caller, sign
from common.testing.system import System

CONNECTIONS = 8
# size, downloads a round, and what share of the bare rate is to be reached
CASES = ((100_000, 2_000, 0.5), (5_000_000, 100, 0.5))


async def asset_rows(system: System, admin: Client) -> list[Row]:
    body = {"org": "BenchX", "number": "Files", "run": "R", "display_name": "Files"}
    course = (await admin.post("/course", json=body)).json()["course_key"]
    return [await _row(system, admin, course, *case) for case in CASES]


async def _row(system: System, admin: Client, course: str, size: int, total: int, bar: float) -> Row:
    name, data = f"{size}.bin", os.urandom(size)
    headers = {"Content-Type": "application/octet-stream"}
    made = await admin.request("PUT", f"/api/content/v1/assets/{course}/{name}", content=data, headers=headers)
    assert made.status_code in (200, 201), made.text
    key = OKPKey.import_key(json.loads(system.internal_private_key))
    token = sign(Caller(), audience="content", key=key)
    ours = _request(system.service_url("content"), made.json()["asset"]["url"], f"{HEADER}: {token}\r\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        async with bare_app("file", path=str(path)) as bare:
            theirs = _request(bare, "/", "")
            value, baseline, ratio = await interleaved(
                lambda: _rate(ours, total), lambda: _rate(theirs, total), rounds=ROUNDS
            )
    return Row(f"asset download, {size / 1000:,.0f} kB, c={CONNECTIONS}", value, "/s", baseline, ratio, bar, ">=",
               "at the service; with the look-up of the file in its course")  # fmt: skip


def _request(url: str, path: str, extra: str) -> tuple[str, int, bytes]:
    place = urlsplit(url)
    assert place.hostname
    assert place.port
    return place.hostname, place.port, f"GET {path} HTTP/1.1\r\nHost: bench\r\n{extra}\r\n".encode()


async def _rate(target: tuple[str, int, bytes], total: int) -> float:
    host, port, request = target
    result = await run(host, port, [request], connections=CONNECTIONS, total=total)
    assert result.statuses == {200: total}, result.statuses
    return total / result.seconds
