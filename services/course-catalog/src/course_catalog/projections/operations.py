"""Which projections there are, and the operator's command that rebuilds them."""

import asyncio
import sys
import time
from collections.abc import Sequence

from common.messaging.rebuilding.operations import Projection, list_rebuilds, start
from common.resources import Resources
from course_catalog.events import AnnounceAccounts, AnnounceContent
from course_catalog.modes.models import Mode
from course_catalog.projections import accounts, content

QUEUE = "course_catalog.rebuild"
_PATIENCE = 3600.0


def projections(default_mode: Mode) -> Sequence[Projection]:
    return (
        Projection(content.OWNER, AnnounceContent, QUEUE, content.ContentShadow(default_mode)),
        Projection(accounts.OWNER, AnnounceAccounts, QUEUE, accounts.AccountShadow()),
    )


async def reproject(resources: Resources, owners: Sequence[str], *, default_mode: Mode) -> int:
    """`python -m course_catalog reproject [content] [gateway]`: rebuild, and wait. Returns the exit code."""
    known = {projection.owner: projection for projection in projections(default_mode)}
    wanted = list(dict.fromkeys(owners)) or list(known)
    if strange := [name for name in wanted if name not in known]:
        sys.stderr.write(f"There is no projection of {strange[0]}; there are {', '.join(known)}.\n")
        return 2
    ids = set()
    async with resources.sessions.begin() as session:
        for name in wanted:
            ids.add(await start(session, known[name], by="operator"))
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        async with resources.sessions() as session:
            running = [each for each in await list_rebuilds(session) if each.owner in wanted]
        if any(each.id not in ids for each in running):
            sys.stderr.write("Another rebuild has taken the place of this one.\n")
            return 1
        if all(each.finished_at for each in running):
            sys.stdout.write(f"Rebuilt: {', '.join(wanted)}.\n")
            return 0
        await asyncio.sleep(0.2)
    sys.stderr.write("The owner has not said everything in an hour. Do its consumers and relay run, and ours?\n")
    return 1
