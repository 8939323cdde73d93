"""What an operator runs about programs: `python -m enrollment link-program-learners|reset-programs|expire-waiting`."""

import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from common.resources import Resources
from enrollment.program_enrollments.hand_linking import BadLinks, link_by_hand, read_links
from enrollment.program_enrollments.maintenance import count_programs, empty_programs, expire_all_waiting
from enrollment.program_enrollments.operations import Author
from enrollment.settings import Settings
from enrollment.transactions import in_transaction

LINK: Final = "link-program-learners"
RESET: Final = "reset-programs"
EXPIRE: Final = "expire-waiting"

_FORCE: Final = "--force"
_USAGE: Final = {
    LINK: f"usage: {LINK} <program uuid> <key>:<username> ...",
    RESET: f"usage: {RESET} <program uuid> ... [{_FORCE}]",
    EXPIRE: f"usage: {EXPIRE} [<days>]",
}


def _author(command: str) -> Author:
    """No account has such a name, so no history can take it for one's."""
    return Author(f"python -m enrollment {command}")


def _refuse(command: str, reason: str | None = None) -> int:
    sys.stderr.write(f"{reason}; nothing was changed\n" if reason else f"{_USAGE[command]}\n")
    return 2


async def link_program_learners(resources: Resources, words: Sequence[str]) -> int:
    """Each key in a transaction of its own; 1 when some were not linked, 2 when the list was not read."""
    if len(words) < 2:
        return _refuse(LINK)
    try:
        uuid, usernames = read_links(words[0], words[1:])
    except BadLinks as error:
        return _refuse(LINK, str(error))
    failed = await link_by_hand(resources, uuid, usernames, author=_author(LINK))
    for reason in failed.values():
        sys.stdout.write(f"{reason}\n")
    sys.stdout.write(f"{len(usernames) - len(failed)} linked, {len(failed)} not\n")
    return 1 if failed else 0


async def reset_programs(resources: Resources, words: Sequence[str]) -> int:
    """Each program in a transaction of its own; asks before, unless forced. 1 when that was refused."""
    try:
        uuids = sorted({UUID(word) for word in words if word != _FORCE})
    except ValueError:
        return _refuse(RESET, "this is no list of program uuids")
    if not uuids:
        return _refuse(RESET)
    known = await count_programs(resources.pool, uuids)
    if missing := [uuid for uuid in uuids if uuid not in known]:
        return _refuse(RESET, f"there is no program {missing[0]}")
    sys.stdout.write(f"{sum(known.values())} program enrollments of {len(uuids)} programs would be deleted.\n")
    if _FORCE not in words and not await _confirmed():
        sys.stdout.write("nothing was changed\n")
        return 1
    for uuid in uuids:

        async def empty(connection: asyncpg.Connection, uuid: UUID = uuid) -> int:
            return await empty_programs(connection, [uuid], author=_author(RESET), now=datetime.now(UTC))

        sys.stdout.write(f"{uuid}: {await in_transaction(resources, empty)} program enrollments deleted\n")
    return 0


async def _confirmed() -> bool:
    sys.stdout.write("Their learners leave the courses they have by them. Type yes to go on: ")
    sys.stdout.flush()
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip() == "yes"


async def expire_waiting(resources: Resources, words: Sequence[str]) -> int:
    """What the service does by itself every hour, now; and with a number of days of one's own."""
    settings = resources.settings
    if len(words) > 1 or not isinstance(settings, Settings):
        return _refuse(EXPIRE)
    if words and not re.fullmatch(r"[1-9][0-9]{0,4}", words[0]):
        return _refuse(EXPIRE, f"{words[0]!a} is no number of days")
    days = int(words[0]) if words else settings.waiting_program_days
    count = await expire_all_waiting(resources, before=datetime.now(UTC) - timedelta(days=days))
    sys.stdout.write(f"{count} program enrollments that waited for {days} days or longer deleted\n")
    return 0
