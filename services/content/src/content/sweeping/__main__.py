"""`python -m content.sweeping`: one sweep now; prints what it took away."""

import asyncio
import dataclasses
import json
import sys
from datetime import UTC, datetime

from common.resources import open_resources
from common.settings import load_settings
from content.settings import Settings
from content.sweeping.operations import sweep


async def _run() -> None:
    async with open_resources("content", load_settings(Settings)) as resources:
        swept = await sweep(resources.pool, resources.blobs, now=datetime.now(UTC))
    sys.stdout.write(json.dumps(dataclasses.asdict(swept)) + "\n")


if __name__ == "__main__":
    asyncio.run(_run())
