"""`make bench`: every row beside its bare baseline, on a system of its own; writes `.lectern/bench.json`."""

import argparse
import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/integration")]

import httpx
from api import admin_of
from assets import asset_rows
from authoring import authoring_rows
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

GROUPS = ("memory", "latency", "import", "gateway", "catalog", "content", "enroll", "bulk", "programs", "assets")


async def measure(system: System, groups: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    async with httpx.AsyncClient(base_url=system.base_url, timeout=120) as http:
        admin = await admin_of(http, dict(system.credentials))
        if "memory" in groups:
            await asyncio.sleep(2)
            rows += memory_rows(system)
            rows += await large_rows(system, admin)
        if "latency" in groups:
            rows += await latency_rows(system, admin)
        if "import" in groups:
            rows += await import_rows(admin, ROOT.parent / "shared")
        if "gateway" in groups:
            rows += await gateway_rows(system, admin)
        if "catalog" in groups:
            rows += await catalog_rows(system, admin)
        if "content" in groups:
            rows += await authoring_rows(system)
        if "enroll" in groups:
            rows += await enroll_rows(system)
        if "bulk" in groups:
            rows += await bulk_rows(system, admin)
        if "programs" in groups:
            rows += await program_rows(system, admin)
        if "assets" in groups:
            rows += await asset_rows(system, admin)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="only these rows")
    chosen = tuple(parser.parse_args().groups) or GROUPS
    with running_system(environment={"gateway": {"LECTERN_RATE_LIMITS": "off"}}) as system:
        rows = asyncio.run(measure(system, chosen))
    print(report(rows, ROOT / ".lectern/bench.json"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
