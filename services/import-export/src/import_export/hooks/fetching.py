"""Running the checkout process, with an end to everything it may take."""

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from import_export.hooks.orders import Fetched, Order, Refused
from import_export.settings import Settings


async def run_checkout(order: Order, settings: Settings) -> Fetched:
    """Raises `Refused`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "import_export.hooks.checkout"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(order.target).parent,
        # nothing of ours goes along: no database, no keys, no proxies
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": str(Path(order.target).parent)},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(settings.hook_seconds):
            said, trouble = await process.communicate(orjson.dumps(asdict(order)))
    except TimeoutError as error:
        message = f"The commit could not be fetched within {settings.hook_seconds:.0f} s."
        raise Refused("timeout", message, transient=True) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0 or not said:
        last = trouble.decode(errors="replace").strip().splitlines()[-1:]
        raise Refused("checkout_failed", f"The checkout failed: {''.join(last)[:300] or process.returncode}")
    answer = orjson.loads(said)
    if not answer.pop("ok"):
        raise Refused(answer["code"], answer["message"], transient=answer["transient"])
    return Fetched(**answer)
