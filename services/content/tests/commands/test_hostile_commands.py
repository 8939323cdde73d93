"""Whatever stands in any field of a command: it is answered, or is for the parking lot at once, and leaves nothing."""

import json
import uuid
from itertools import islice, product

import orjson
import pytest
from pydantic import ValidationError

from common.messaging import Malformed, Message
from common.testing.hostile import ODD, UNREADABLE, VALUES, Description
from common.testing.identity import a_caller
from common.testing.waiting import impatient
from content.consumers import subscriptions

COURSE = "course-v1:Org+Demo+1"
# longer than an index entry may be, and not to be compressed
LONG = json.dumps("".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(100_000)))
# what makes it one that would be carried out
ALLOWED = {
    "course_id": COURSE,
    "requested_by": {"user_id": 1, "username": "alice", "is_staff": True},
    "expires_at": None,
    "snapshot": "snapshots/one",
    "version": None,
    "if_not_version": None,
    "username": "alice",
}
ANNOUNCE = "content.announce.v1"
KINDS = ("content.import_course.v1", "content.snapshot_course.v1", "content.set_course_role.v1", ANNOUNCE)


@pytest.fixture
def deliver(resources):
    """`await deliver(type, body)` → the answers, of which a message that is for the parking lot has none."""
    handlers = {name: handle for one in subscriptions(impatient(resources)) for name, handle in one.handlers.items()}

    async def deliver(kind, content):
        before = await resources.pool.fetchval("select coalesce(max(position), 0) from outbox")
        message = Message(uuid.uuid4(), kind, content, {}, user_id="import_export", reply_to="answers")
        try:
            async with resources.sessions.begin() as session:
                await handlers[kind](session, [message])
        except (Malformed, ValidationError):  # what a consumer parks without trying again
            return []
        rows = await resources.pool.fetch("select payload from outbox where position > $1", before)
        return [row["payload"] for row in rows if row["payload"]]

    return deliver


def described(repository, kind):
    """The command's schema and its sample."""
    folder = repository / "contracts" / "commands" / "content"
    schema = json.loads((folder / f"{kind}.schema.json").read_bytes())
    sample = json.loads((folder / f"{kind}.sample.json").read_bytes())
    return Description(schema, {}).spots(schema, sample | ({} if kind == ANNOUNCE else ALLOWED))


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.torture)])
@pytest.mark.parametrize("kind", KINDS)
async def test_no_field_of_a_command_makes_it_fail(bus, demo, resources, deliver, repository, kind, every):
    await bus.account(a_caller("alice"))
    await resources.blobs.put_bytes("snapshots/one", orjson.dumps(demo.document()))
    tables = "select (select count(*) from version), (select count(*) from course), (select count(*) from course_team)"
    before = await resources.pool.fetchrow(tables)
    outcomes = set()
    values = (VALUES | {"long": LONG}).items()
    for (where, text), (what, value) in islice(product(described(repository, kind), values), 0, None, every):
        # each a command of its own, unless the value is the id's
        content = text.replace("@@", value).replace('"command_id":"', f'"command_id":"{uuid.uuid4()}')
        answers = await deliver(kind, content.encode())
        outcomes |= {answer.get("outcome", "announced") for answer in answers}
        now = await resources.pool.fetchrow(tables)
        assert now == before or "done" in {answer.get("outcome") for answer in answers}, (where, what)
        before = now
    expected = {ANNOUNCE: {"announced"}, "content.import_course.v1": {"rejected", "unchanged"}}
    assert outcomes >= expected.get(kind, {"rejected", "done"})


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_read_is_for_the_parking_lot(deliver, kind):
    for what, content in (UNREADABLE | ODD).items():
        assert await deliver(kind, content) == [], what
