"""A retired person's names stand nowhere in this service any more."""

import orjson

from common.testing.identity import a_caller
from content.accounts.retirement import retire_accounts

GRACE = a_caller("grace", grants=("Org",))
GONE = "retired__user_1"


async def retire(bus, caller, *, version: int = 2) -> None:
    body = {
        "users": [
            {
                "user_id": caller.user_id, "former_username": caller.username, "former_email": caller.email,
                "username": GONE, "email": f"{GONE}@retired.invalid", "version": version,
                "retired_at": "2026-01-01T00:00:00Z",
            }
        ]
    }  # fmt: skip
    async with bus.resources.sessions.begin() as session:
        await retire_accounts(session, [bus.message("accounts.user.retired.v1", body)])


async def everything(bus) -> bytes:
    """All that is stored about people, outbox aside: that expires by itself."""
    tables = ("account", "course_team", "version", "course", "branch", "access_policy", "unlock_key")
    return b"".join(
        [orjson.dumps([row["r"] for row in await bus.resources.pool.fetch(f"select to_jsonb(t) r from {t} t")])
         for t in tables]
    )  # fmt: skip


async def test_names_and_mails_are_replaced_in_all_that_content_owns(client, bus, a_draft):
    await bus.account(GRACE)
    await bus.import_course(a_draft(), by=GRACE)
    await bus.resources.pool.execute("update version set edited_by = null where number = 1 and branch_id % 2 = 0")
    access = "course-v1:Org+Demo+1"
    audiences = [{"kind": "users", "usernames": ["grace", "ann"]}]
    await client.request("PATCH", f"/api/content/v1/access/{access}", GRACE, json={"info": {"audiences": audiences}})
    await client.post(f"/api/content/v1/unlock_keys/{access}", GRACE)
    assert (await everything(bus)).count(b"grace") > 4
    await retire(bus, GRACE)
    left = await everything(bus)
    assert b"grace" not in left
    assert GONE.encode() in left
    assert b"ann" in left
    said = (await bus.announced("content.course_team.changed.v1"))[-1]
    assert said["members"] == [
        {"user_id": GRACE.user_id, "username": GONE, "role": "instructor", "version": 2, "removed": True}
    ]
    assert (await client.get("/assets/course-v1:Org+Demo+1", GRACE)).status_code == 403


async def test_a_second_retirement_changes_nothing(bus, a_draft):
    await bus.import_course(a_draft(), by=GRACE)
    await retire(bus, GRACE)
    before = len(await bus.announced())
    await retire(bus, GRACE)
    assert len(await bus.announced()) == before


async def test_older_news_cannot_bring_the_name_back(bus):
    await retire(bus, GRACE, version=5)
    await bus.account(GRACE, version=4)
    assert b"grace" not in await everything(bus)
    await retire(bus, GRACE, version=5)
    row = await bus.resources.pool.fetchrow("select username, is_active from account")
    assert dict(row) == {"username": GONE, "is_active": False}
