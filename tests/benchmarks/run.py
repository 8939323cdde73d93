"""`make bench`: every row beside its bare baseline, on a system of its own; writes `.lectern/bench.json`."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/integration")]

import httpx
from api import Client, admin_of
from assets import asset_rows
from authoring import authoring_rows
from blocks import block_rows
from bulk import bulk_rows
from catalog import catalog_rows
from enrolling import enroll_rows
from imports import import_rows
from latency import latency_rows
from measure import Row, report
from memory import large_rows, memory_rows
from programs import program_rows

from common.testing.system import System, running_system
from gateway import gateway_rows

SHARED = ROOT.parent / "shared"
Group = Callable[[System, Client], Awaitable[list[Row]]]


async def _memory(system: System, admin: Client) -> list[Row]:
    await asyncio.sleep(2)
    return [*memory_rows(system), *await large_rows(system, admin)]


GROUPS: dict[str, Group] = {
    "memory": _memory,
    "latency": latency_rows,
    "import": lambda system, admin: import_rows(admin, SHARED),
    "gateway": gateway_rows,
    "catalog": catalog_rows,
    "content": lambda system, admin: authoring_rows(system),
    "blocks": lambda system, admin: block_rows(system, admin, SHARED),
    "enroll": lambda system, admin: enroll_rows(system),
    "bulk": bulk_rows,
    "programs": program_rows,
    "assets": asset_rows,
}


async def measure(system: System, groups: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    async with httpx.AsyncClient(base_url=system.base_url, timeout=120) as http:
        for name in groups:
            # a token of its own for each: they live for an hour, and some groups take long
            rows += await GROUPS[name](system, await admin_of(http, dict(system.credentials)))
            print(f"measured: {name}", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="only these rows")
    chosen = tuple(parser.parse_args().groups) or tuple(GROUPS)
    with running_system(environment={"gateway": {"LECTERN_RATE_LIMITS": "off"}}) as system:
        rows = asyncio.run(measure(system, chosen))
    print(report(rows, ROOT / ".lectern/bench.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
