"""Retirement: names give way at once, enrollments end by the pipeline's call, and neither says who it was."""

import asyncio
import uuid
from datetime import UTC, datetime

import orjson
import pytest

from common.messaging import Message
from common.testing.identity import a_caller
from common.testing.waiting import until
from enrollment.consumers import hear_retirements
from enrollment.sweeps import scrub_names

OPEN, OTHER, GONE = (f"course-v1:{org}+C+1" for org in ("OrgA", "OrgB", "OrgC"))
ALICE, STAFF = a_caller("alice"), a_caller("root", staff=True)
NEW_NAME = "retired__user_1"


@pytest.fixture
def retire(resources):
    async def _retire(version=100):
        user = {
            "user_id": ALICE.user_id,
            "former_username": "alice",
            "former_email": "alice@example.com",
            "username": NEW_NAME,
            "email": f"{NEW_NAME}@retired.invalid",
            "version": version,
            "retired_at": datetime.now(UTC).isoformat(),
        }
        body = orjson.dumps({"users": [user]})
        message = Message(
            id=uuid.uuid4(), type="accounts.user.retired.v1", body=body, headers={}, user_id=None, reply_to=None
        )
        async with resources.sessions.begin() as session:
            await hear_retirements(session, [message])

    return _retire


@pytest.fixture
async def enrolled(client, world):
    await world.account("alice")
    for key in (OPEN, OTHER, GONE):
        await world.course(key, org=key.split(":")[1].split("+")[0], max_enrollments=5)
        assert (await client.enroll(ALICE, key, email_opt_in=True)).status_code == 200
    await client.enroll(STAFF, OTHER, user="alice", is_active=False)
    await world.course(GONE, org="OrgC", deleted=True)
    await world.team(OPEN, "alice")
    await world.allow(OPEN, "Alice@example.com", bound_to="alice")
    return world


async def unenroll(client, username, caller=STAFF):
    return await client.send("POST", "unenroll/", caller, json={"username": username})


async def everything(db):
    tables = ("account", "enrollment_history", "enrollment_allowed", "team_member", "email_opt_in", "retirement",
              "retirement_name", "cohort_waiting", "manual_enrollment", "program_history", "program_enrollment",
              "enrollment_job")  # fmt: skip
    rows = [await db.fetch(f"select to_jsonb(t)::text as row from {table} t") for table in tables]
    return " ".join(row["row"] for found in rows for row in found).lower()


async def test_no_name_and_no_address_is_left(client, enrolled, retire, resources):
    assert "alice" in await everything(enrolled.db)
    await retire()
    await scrub_names(resources)
    left = await everything(enrolled.db)
    assert "alice" not in left
    assert NEW_NAME in left
    [event] = await enrolled.announced("enrollment.allowed.changed.v1")
    assert [(one["email"], one["removed"]) for one in event["entries"]] == [("alice@example.com", True)]
    assert await enrolled.state("alice", OPEN) == ("audit", True)


async def test_who_has_acted_for_others_is_forgotten_too(client, enrolled, retire, resources):
    acting = a_caller("alice", staff=True)
    program = await enrolled.program(1, OPEN)
    record = {"student_key": "k", "status": "enrolled", "curriculum_uuid": "00000000-1111-2222-3333-444444444444"}
    path = f"/api/program_enrollments/v1/programs/{program}/enrollments/"
    assert (await client.send("POST", path, acting, json=[record])).status_code == 201
    body = {"email": "new@example.com", "course_id": OPEN}
    assert (await client.send("POST", "enrollment_allowed/", acting, json=body)).status_code == 201
    bulk = {"action": "enroll", "identifiers": "other@example.com", "courses": OPEN}
    assert (await client.send("POST", "../../bulk_enroll/v1/bulk_enroll", acting, json=bulk)).status_code == 200
    file = f"username,course_id\nnobody,{OPEN}\n".encode()
    job = await client.send(
        "POST", "/api/enrollment_jobs/v1/enrollments", acting, content=file, headers={"content-type": "text/csv"}
    )
    assert job.status_code == 202
    await retire()
    await scrub_names(resources)
    assert "alice" not in await everything(enrolled.db)
    shown = await client.send("GET", "/api/enrollment_jobs/v1/jobs?owner=*", STAFF)
    assert [one["name"] for one in shown.json()["results"]] == [f"{NEW_NAME}:write:enrollments"]


async def test_older_news_cannot_bring_the_name_back(enrolled, retire, resources):
    await retire(version=10**6)
    await enrolled.account("alice")
    await scrub_names(resources)
    assert "alice" not in await everything(enrolled.db)


@pytest.mark.parametrize("name", ["alice", NEW_NAME])
async def test_the_pipelines_call_ends_all_enrollments_and_names_their_orgs(client, enrolled, retire, name):
    await retire()
    answer = await unenroll(client, name)
    assert (answer.status_code, sorted(answer.json())) == (200, ["OrgA", "OrgB", "OrgC"])
    assert await enrolled.db.fetchval("select count(*) from enrollment where is_active") == 0
    assert await enrolled.taken(OPEN) == 0
    changes = (await enrolled.announced())[-1]["changes"]
    assert {(change["username"], change["course_id"], change["is_active"]) for change in changes} == {
        (NEW_NAME, OPEN, False),
        (NEW_NAME, GONE, False),
    }
    again = await unenroll(client, name)
    assert (again.status_code, again.content) == (204, b"")


async def test_a_call_that_meets_others_at_the_same_rows_is_repeated(client, enrolled, retire, resources):
    await retire()
    numbers = {row["key"]: row["n"] for row in await enrolled.db.fetch("select key, n from course")}
    lock = "select from enrollment where user_id = $1 and course_n = $2 for update"
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with resources.pool.acquire() as other:
        # the call begins to wait first, so that it is the one PostgreSQL breaks off
        await other.execute("set deadlock_timeout = '30s'")
        async with other.transaction():
            await other.execute(lock, ALICE.user_id, numbers[GONE])
            calling = asyncio.create_task(unenroll(client, "alice"))

            async def waiting():
                return await enrolled.db.fetchval(waits) > 0

            await until(waiting, what="the call to wait for the row")
            await other.execute(lock, ALICE.user_id, numbers[OPEN])
        await other.execute("reset deadlock_timeout")
    answer = await calling
    assert (answer.status_code, answer.json()) == (200, ["OrgA", "OrgB", "OrgC"])
    assert await enrolled.db.fetchval("select count(*) from enrollment where is_active") == 0


async def test_refusals_are_bare_strings(client, enrolled):
    missing = await client.send("POST", "unenroll/", STAFF, json={})
    assert (missing.status_code, missing.json()) == (404, "Username not specified.")
    for name in ("", "alice", "nobody", 7, ["alice"], None):
        answer = await unenroll(client, name)
        text = "Username not specified." if name is None else "No retirement request status for username."
        assert (answer.status_code, answer.json()) == (404, text)
    assert (await unenroll(client, "alice", None)).status_code == 401
    assert (await unenroll(client, "alice", ALICE)).status_code == 403
    assert await enrolled.state("alice", OPEN) == ("audit", True)
