"""Linking by hand: an operator says whose key it is, when no linked external id says so, or a wrong one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from common.resources import Resources
from enrollment.account_copies.queries import wait_for_accounts
from enrollment.enrollments.errors import TooBusy
from enrollment.enrollments.models import TEXTS
from enrollment.program_enrollments.linking import Link, link_accounts
from enrollment.program_enrollments.operations import Author
from enrollment.programs.models import fold
from enrollment.programs.queries import lock_programs
from enrollment.transactions import in_transaction

log = structlog.get_logger()

# index account_username
_USER: Final = "select user_id from account where username = $1 order by version desc limit 1"
# index program_enrollment_key: the key may be in several curricula of the program
_OF_KEY: Final = """
select id, user_id from program_enrollment where program_uuid = $1 and folded = $2 order by id
"""


class BadLinks(Exception):
    """The list as a whole cannot be read."""


class NotLinked(Exception):
    """Why one key was not linked, in upstream's words."""


class CourseEnrollmentError(Exception):
    """The account could not be put into one of the key's courses, or the former one not be taken out."""


def read_links(program: str, pairs: Sequence[str]) -> tuple[UUID, Mapping[str, str]]:
    """The program, and usernames by key. Raises `BadLinks`: of a list with a mistake in it nothing is linked."""
    try:
        uuid = UUID(program)
    except ValueError as error:
        raise BadLinks(f"{program!a} is not the uuid of a program") from error
    usernames: dict[str, str] = {}
    seen: set[str] = set()
    for pair in pairs:
        parts = [part.strip() for part in pair.split(":")]
        if len(parts) != 2 or not all(parts) or not _is_text(pair):
            raise BadLinks(f"{pair!a} is not of the form key:username")
        key, username = parts
        if fold(key) in seen:
            raise BadLinks(f"{key!a} is named twice")
        seen.add(fold(key))
        usernames[key] = username
    return uuid, usernames


def _is_text(text: str) -> bool:
    """Bytes of a command line that are no UTF-8 arrive as half surrogate pairs."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


async def link_by_hand(
    resources: Resources, program_uuid: UUID, usernames: Mapping[str, str], *, author: Author
) -> dict[str, str]:
    """Link each key to its account, in a transaction of its own; returns why not, for those that were not linked.

    Another account that has the key leaves its courses first. The link holds whatever the gateway says later.
    """
    await wait_for_accounts(resources, usernames.values())
    failed: dict[str, str] = {}
    for key, username in usernames.items():

        async def link(connection: asyncpg.Connection, key: str = key, username: str = username) -> None:
            await _link(connection, program_uuid, key, username, author=author, now=datetime.now(UTC))

        try:
            await in_transaction(resources, link)
        except NotLinked as refusal:
            failed[key] = str(refusal)
        except (CourseEnrollmentError, TooBusy) as error:
            failed[key] = f"{type(error).__name__}: {error}"
        except asyncpg.IntegrityConstraintViolationError as error:
            # without the detail, which tells another learner's number
            failed[key] = f"{type(error).__name__}: {error.args[0]}"
    return failed


async def _link(
    connection: asyncpg.Connection, program_uuid: UUID, key: str, username: str, *, author: Author, now: datetime
) -> None:
    await lock_programs(connection, [program_uuid])
    user_id = await connection.fetchval(_USER, username)
    if user_id is None:
        raise NotLinked(f"No user found with username {username}")
    rows = await connection.fetch(_OF_KEY, program_uuid, fold(key))
    if not rows:
        text = f"No program enrollment found for program uuid={program_uuid} and external student key={key}"
        raise NotLinked(text)
    links = [Link(row["id"], program_uuid, user_id, row["user_id"]) for row in rows if row["user_id"] != user_id]
    if not links:
        text = f"Program enrollment with external_student_key={key} is already linked to target account"
        raise NotLinked(f"{text} username={username}")
    refused = await link_accounts(connection, links, author=author, now=now, by_hand=True)
    if refused:
        raise CourseEnrollmentError(f"{refused[0].course_key}: {TEXTS[refused[0].code]}")
    log.info("linked_by_hand", program_enrollments=[link.id for link in links], user_id=user_id)
