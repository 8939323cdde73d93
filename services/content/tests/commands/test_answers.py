"""A command has an identity: the same again gets the same answer, another body under its name is refused."""

import uuid

import orjson
import pytest

from common.blobs import asset_key
from common.messaging import Malformed, Message
from content.commands.answers import handler
from content.commands.schemas import ImportCourse
from content.imports.operations import COMMAND, import_course

REQUESTER = {"user_id": 1, "username": "robot", "is_staff": True, "creator_grants": []}


@pytest.fixture
def send(bus):
    async def carry_out(session, command):
        return await import_course(session, bus.resources.blobs, command)

    handle = handler(ImportCourse, COMMAND, carry_out)

    async def send(body, *, sender="importer"):
        message = Message(uuid.uuid4(), COMMAND, orjson.dumps(body), {}, user_id=sender, reply_to="answers")
        async with bus.resources.sessions.begin() as session:
            await handle(session, [message])
        return (await bus.announced("content.command.completed.v1"))[-1]

    return send


@pytest.fixture
async def command(bus, a_draft):
    draft = a_draft()
    for digest, data in draft.bytes_of.items():
        await bus.resources.blobs.put_bytes(asset_key(digest), data)
    await bus.resources.blobs.put_bytes("snapshots/one", orjson.dumps(draft.document()))
    return {
        "command_id": str(uuid.uuid4()),
        "requested_by": REQUESTER,
        "course_id": draft.course.canonical,
        "snapshot": "snapshots/one",
        "may_create": True,
        "expires_at": "2999-01-01T00:00:00Z",
    }


async def test_the_same_command_again_gets_the_same_answer_and_does_nothing(bus, send, command):
    first = await send(command)
    assert first["outcome"] == "done"
    versions = await bus.resources.pool.fetchval("select count(*) from version")
    assert await send(command) == first
    assert await bus.resources.pool.fetchval("select count(*) from version") == versions
    row = await bus.resources.pool.fetchrow("select * from outbox order by id desc limit 1")
    assert (row["correlation_id"], row["reply_to"]) == (command["command_id"], "answers")


async def test_an_id_used_for_another_command_is_refused_and_the_first_answer_kept(send, command):
    first = await send(command)
    other = await send(command | {"dry_run": True})
    assert (other["outcome"], other["code"]) == ("rejected", "command_id_reused")
    assert await send(command) == first


async def test_ids_of_different_senders_are_different_commands(send, command):
    await send(command)
    assert (await send(command, sender="another"))["outcome"] == "unchanged"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
        ({"expires_at": "2020-01-01T00:00:00"}, "expired"),
        ({"snapshot": None}, "malformed"),
        ({"dry_run": "perhaps"}, "malformed"),
        ({"snapshot": "snapshots/../secret"}, "snapshot_missing"),
    ],
)
async def test_a_refused_command_is_answered_and_leaves_nothing(bus, send, command, change, code):
    answer = await send(command | change)
    assert (answer["outcome"], answer["code"]) == ("rejected", code)
    assert answer["course_id"] == "course-v1:Org+Demo+1"
    assert await bus.resources.pool.fetchval("select count(*) from course") == 0


async def test_a_refusal_half_way_undoes_what_was_written_before_it(bus, send, command, a_draft):
    draft = a_draft()
    draft.assets["lost.bin"] = {"digest": "ab" * 32, "size": 1}
    await bus.resources.blobs.put_bytes("snapshots/one", orjson.dumps(draft.document()))
    assert (await send(command))["code"] == "asset_missing"
    for table in ("course", "branch", "block", "definition", "asset_claim"):
        assert await bus.resources.pool.fetchval(f"select count(*) from {table}") == 0


async def test_a_command_without_an_id_is_for_the_parking_lot(send, command):
    del command["command_id"]
    with pytest.raises(Malformed):
        await send(command)
