"""Keys and accounts: linking, relinking, retirement, expiry, reset."""

from datetime import UTC, datetime, timedelta

import pytest
import structlog

from common.testing.identity import a_caller
from enrollment.program_enrollments.linking import realise_due
from enrollment.program_enrollments.maintenance import expire_waiting, retire_keys
from enrollment.programs.operations import note_accounts

STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1"
OPEN = "course-v1:Org+Open+1"


@pytest.fixture
async def put(put_keys, world):
    await world.course(OPEN)
    await world.program(1, OPEN)

    async def write(*keys, program=1, status=None):
        await put_keys(f"5b2c7a52-0d0f-4f43-8a3e-{program:012d}", *keys, status=status)

    return write


async def test_only_programs_of_the_links_organization_are_realised(put, world, db, holders):
    await world.program(2, OPEN, organization="Elsewhere")
    await put("k", status="active")
    await put("k", program=2)
    await world.account("grace")
    await world.link(1, "grace", "K")
    assert await holders() == [("k", "grace"), ("k", None)]
    lines = await db.fetch("select source, old_user_id from program_history where user_id is not null")
    assert [tuple(line) for line in lines] == [("link", None)]


async def test_a_link_before_its_account_is_realised_when_the_account_comes(put, world, db, holders):
    await put("k", status="active")
    await world.link(1, "grace", "k")
    assert await holders() == [("k", None)]
    await world.account("grace")
    async with db.transaction():
        await note_accounts(db, [a_caller("grace").user_id])
    async with db.transaction():
        assert await realise_due(db, now=datetime.now(UTC)) == 1
    assert await holders() == [("k", "grace")]
    assert await world.state("grace") == ("masters", True)
    async with db.transaction():
        assert await realise_due(db, now=datetime.now(UTC)) == 0


@pytest.mark.parametrize("removed_first", [True, False])
async def test_a_key_that_passes_to_another_account_takes_its_courses_along(put, world, removed_first, holders):
    await world.account("grace", "ada")
    await world.link(1, "grace", "k")
    await put("k", status="active")
    assert await world.state("grace") == ("masters", True)
    links = [(1, "grace", True), (2, "ada", False)]
    for number, name, removed in links if removed_first else reversed(links):
        await world.link(number, name, "k", removed=removed)
    assert await holders() == [("k", "ada")]
    assert await world.state("ada") == ("masters", True)
    assert await world.state("grace") == ("audit", False)


async def test_a_removed_link_alone_changes_nothing(put, world, holders):
    await world.account("grace")
    await world.link(1, "grace", "k")
    await put("k", status="active")
    await world.link(1, "grace", "k", removed=True)
    assert await holders() == [("k", "grace")]
    assert await world.state("grace") == ("masters", True)
    await put("k", status="active")
    assert await holders() == [("k", "grace")]


async def test_an_account_with_another_key_in_the_curriculum_is_not_linked_twice(put, world, holders):
    await put("one", "two")
    await world.account("grace")
    await world.link(1, "grace", "one")
    await world.link(2, "grace", "two")
    assert await holders() == [("one", "grace"), ("two", None)]


async def test_retirement_hashes_keys_once_and_nothing_leads_back(put, world, db, holders):
    await world.program(2, OPEN)
    await world.account("grace", "ada")
    await world.link(1, "grace", "secret")
    await world.link(2, "ada", "kept")
    await put("secret", "kept")
    await put("secret", program=2)
    grace = a_caller("grace").user_id
    async with db.transaction():
        assert await retire_keys(db, [grace]) == 2
        assert await retire_keys(db, [grace]) == 0
    keys = [key for key, _ in await holders()]
    assert keys[1] == "kept"
    assert keys[0] == keys[2]
    assert keys[0].startswith("retired_external_key")
    for table in ("program_enrollment", "program_history", "linked_id"):
        dump = str(await db.fetch(f"select t::text as line from {table} t"))
        assert "secret" not in dump
    # the key is free: whoever has it now is somebody else
    await put("secret")
    assert (await holders())[-1] == ("secret", None)


@pytest.mark.parametrize(("days", "linked", "goes"), [(60, False, True), (59, False, False), (90, True, False)])
async def test_what_waits_for_sixty_days_is_forgotten(put, world, db, days, linked, goes):
    if linked:
        await world.account("grace")
        await world.link(1, "grace", "k")
    await put("k", status="active")
    now = datetime.now(UTC)
    await db.execute("update program_enrollment set modified = $1", now - timedelta(days=days))
    async with db.transaction():
        assert await expire_waiting(db, before=now - timedelta(days=60)) == int(goes)
    for table in ("program_enrollment", "program_course_enrollment", "program_history"):
        assert bool(await db.fetchval(f"select count(*) from {table}")) == (not goes)


async def test_expiry_logs_numbers_and_never_keys(put, db):
    await put("very-personal", status="active")
    number = await db.fetchval("select id from program_enrollment")
    with structlog.testing.capture_logs() as lines:
        async with db.transaction():
            assert await expire_waiting(db, before=datetime.now(UTC)) == 1
    assert [line["ids"] for line in lines] == [[number]]
    assert "personal" not in str(lines)


@pytest.fixture
def resettable(resources):
    object.__setattr__(resources.settings, "program_reset", True)
    yield
    object.__setattr__(resources.settings, "program_reset", False)


RESET = f"{BASE}/integration-reset"


async def test_reset_is_for_sandboxes(client):
    answer = await client.send("POST", RESET, STAFF, json={"organization": "Org"})
    assert (answer.status_code, answer.json()) == (501, "reset not enabled on this environment")
    assert (await client.send("POST", RESET, a_caller("alice"), json={})).status_code == 403
    assert "detail" in (await client.send("POST", RESET, a_caller(None), json={})).json()


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 400, "missing required body content 'organization'"),
        ([], 400, "missing required body content 'organization'"),
        ({"organization": 5}, 400, "missing required body content 'organization'"),
        ({"organization": "Nobody"}, 404, "organization Nobody not found"),
        ({"organization": "a\x00b"}, 404, "organization a\x00b not found"),
    ],
)
async def test_what_reset_refuses(client, resettable, put, body, status, expected):
    answer = await client.send("POST", f"{RESET}/", STAFF, json=body)
    assert (answer.status_code, answer.json()) == (status, expected)


async def test_reset_empties_the_organizations_programs(client, resettable, put, world, db, holders):
    await world.program(2, OPEN, organization="Elsewhere")
    await world.account("grace", "ada")
    await world.link(1, "grace", "k")
    await world.link(2, "ada", "k", organization="Elsewhere")
    await put("k", "waits", status="active")
    await put("k", program=2)
    answer = await client.send("POST", RESET, STAFF, json={"organization": "Org"})
    assert (answer.status_code, answer.json()) == (200, "success")
    assert await holders() == [("k", "ada")]
    assert await db.fetchval("select count(*) from program_course_enrollment") == 0
    assert await world.state("grace") == ("masters", False)
    asked = await db.fetch("select routing_key, exchange, convert_from(body, 'utf8') as body from outbox")
    [command] = [row for row in asked if row["routing_key"] == "accounts.delete_linked.v1"]
    assert command["exchange"] == "lectern.commands"
    assert '"organization":"Org"' in command["body"]
    assert (await client.send("POST", RESET, STAFF, json={"organization": "Org"})).status_code == 200
