"""The sweep takes what nothing refers to, and nothing that somebody is about to refer to."""

import asyncio
import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta

import pytest

from common.blobs import asset_key
from common.messaging.outbox import new_id
from common.testing.identity import a_caller
from content.sweeping.operations import GRACE, sweep

NOW = datetime(2030, 1, 1, tzinfo=UTC)
COURSE = "course-v1:Org+Demo+1"


@pytest.fixture(autouse=True)
async def _empty_store(resources) -> None:
    for prefix in ("assets", "snapshots"):
        for key in await resources.blobs.list_keys(prefix):
            await resources.blobs.delete(key)


async def stage(bus, data: bytes, *, days: float | None = None) -> str:
    """Bytes in the store, claimed so many days ago, or never."""
    digest = hashlib.sha256(data).hexdigest()
    await bus.resources.blobs.put_bytes(asset_key(digest), data)
    if days is not None:
        await bus.resources.pool.execute(
            "insert into asset_claim (digest, claimed_at) values ($1, now() - $2::interval)",
            bytes.fromhex(digest), timedelta(days=days),
        )  # fmt: skip
    return digest


async def swept(bus, **options) -> int:
    return (await sweep(bus.resources.pool, bus.resources.blobs, now=NOW, **options)).assets


async def has(bus, digest: str) -> bool:
    return await bus.resources.blobs.size(asset_key(digest)) is not None


async def test_what_nobody_claimed_for_a_week_goes_and_only_that(bus, a_draft):
    old, young, never = await stage(bus, b"old", days=8), await stage(bus, b"young", days=6), await stage(bus, b"never")
    draft = a_draft()
    held = draft.asset("held.txt", b"held")
    await bus.import_course(draft)
    await bus.resources.pool.execute("update asset_claim set claimed_at = claimed_at - interval '6 days'")
    await bus.resources.pool.execute(
        "update asset_claim set claimed_at = now() - interval '30 days' where digest = $1", bytes.fromhex(held)
    )
    assert await swept(bus) == 1 + 1  # the young one is twelve days old by now
    assert [await has(bus, digest) for digest in (old, young, never, held)] == [False, False, True, True]
    assert await bus.resources.pool.fetchval(
        "select count(*) from asset_claim where digest = any($1::bytea[])", [bytes.fromhex(old), bytes.fromhex(young)]
    ) == 0  # fmt: skip
    assert await swept(bus) == 0
    await bus.resources.pool.execute("update asset_claim set claimed_at = claimed_at - $1::interval", GRACE)
    assert await swept(bus) == 1
    assert not await has(bus, never)


async def test_what_only_an_old_version_or_a_deleted_course_holds_stays(client, bus, a_draft):
    draft = a_draft()
    held = draft.asset("held.txt", b"held once")
    await bus.import_course(draft)
    await bus.import_course(a_draft())
    await client.request("DELETE", f"/course/{COURSE}", a_caller("admin", staff=True))
    await bus.resources.pool.execute("update asset_claim set claimed_at = now() - interval '30 days'")
    assert await swept(bus) == 0
    assert await has(bus, held)


async def test_a_claim_being_made_is_waited_for_by_nobody_and_kept(bus):
    digest = await stage(bus, b"contested", days=30)
    async with bus.resources.pool.acquire() as connection:
        renewing = connection.transaction()
        await renewing.start()
        await connection.execute("update asset_claim set claimed_at = now() where digest = $1", bytes.fromhex(digest))
        async with asyncio.timeout(5):
            assert await swept(bus) == 0
        await renewing.commit()
    assert await swept(bus) == 0
    assert await has(bus, digest)


@pytest.mark.parametrize("rounds", [12, pytest.param(300, marks=pytest.mark.torture)])
async def test_bytes_swept_while_they_are_imported_or_uploaded_again_are_never_lost(client, bus, a_draft, rounds):
    """Either the sweep sees the claim, or the writer sees that the bytes are gone: no version names bytes without a
    blob. An import that comes a moment too late is refused, and passes when its sender stages the bytes again."""
    robot = a_caller("robot")
    await bus.import_course(a_draft())
    refused = 0
    for number in range(rounds):
        data = f"bytes {number}".encode()
        digest = await stage(bus, data, days=30)
        draft = a_draft()
        draft.asset("new.txt", data)
        if number % 2:
            adding = client.post(f"/assets/{COURSE}", robot, files={"file": ("new.txt", data, "text/plain")})
        else:
            adding = bus.import_course(draft)
        answer, _ = await asyncio.gather(adding, swept(bus))
        if number % 2 == 0 and answer.outcome == "rejected":
            assert answer.code == "asset_missing"
            refused += 1
            answer = await bus.import_course(draft)
        assert getattr(answer, "outcome", None) == "done" or answer.status_code == 200, answer
        assert await has(bus, digest)
        assert await swept(bus) == 0
        served = await client.get("/asset-v1:Org+Demo+1+type@asset+block@new.txt")
        assert (served.status_code, served.content) == (200, data)
    assert refused <= rounds // 2


async def test_snapshots_left_behind_go_when_no_answer_can_offer_them_any_more(bus, demo):
    answer = await bus.snapshot()
    offered = answer.snapshot
    assert offered
    others = [f"snapshots/{new_id()}", f"snapshots/{'0' * 32}", "snapshots/x"]
    orphan = f"snapshots/{new_id().hex}"
    for key in (*others, orphan):
        await bus.resources.blobs.put_bytes(key, b"{}")
    await bus.resources.pool.execute(
        """insert into answered_command (sender, command_id, body_digest, answer)
           values ('', '1', ''::bytea, jsonb_build_object('snapshot', $1::text))""",
        offered,
    )
    now = datetime.now(UTC)
    pool, blobs = bus.resources.pool, bus.resources.blobs
    assert (await sweep(pool, blobs, now=now + timedelta(days=30))).snapshots == 0
    assert (await sweep(pool, blobs, now=now + timedelta(days=32))).snapshots == 1
    left = set(await blobs.list_keys("snapshots"))
    assert orphan not in left
    assert {offered, *others} <= left


async def test_it_is_a_command_of_its_own(bus, settings):
    digest = await stage(bus, b"by command", days=8)
    values = {
        "LECTERN_DATABASE_URL": settings.database_url.get_secret_value(),
        "LECTERN_AMQP_URL": settings.amqp_url.get_secret_value(),
        "LECTERN_BLOBS_URL": settings.blobs_url,
        "LECTERN_INTERNAL_PUBLIC_KEY": settings.internal_public_key,
        "LECTERN_TOPOLOGY_FILE": str(settings.topology_file),
        "LECTERN_PUBLIC_URL": settings.public_url,
        "LECTERN_HTTP_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "content.sweeping", env={"PATH": os.environ["PATH"], **values},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert json.loads(out) == {"assets": 1, "snapshots": 0}
    assert not await has(bus, digest)
