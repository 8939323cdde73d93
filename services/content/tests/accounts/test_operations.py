"""The copy of accounts: the latest version wins, in whatever order they come."""

import itertools

from common.testing.identity import a_caller


async def test_the_latest_version_wins_in_any_order(bus):
    versions = [1, 2, 3]
    for order in itertools.permutations(versions):
        await bus.resources.pool.execute("delete from account")
        for version in order:
            await bus.account(a_caller(f"name{version}", user_id=7), version=version)
        rows = await bus.resources.pool.fetch("select username, version from account")
        assert [(row["username"], row["version"]) for row in rows] == [("name3", 3)]


async def test_one_user_twice_in_a_batch_is_one_row(bus):
    from content.accounts.operations import keep_accounts

    def said(version: int) -> dict:
        return {
            "user_id": 1, "username": f"v{version}", "email": "", "name": "", "is_active": True, "is_staff": False,
            "version": version, "anything": "new",
        }  # fmt: skip

    messages = [
        bus.message("accounts.user.changed.v1", {"users": [said(2), said(1)]}),
        bus.message("accounts.user.changed.v1", {"users": [said(3)]}),
    ]
    async with bus.resources.sessions.begin() as session:
        await keep_accounts(session, messages)
    assert await bus.resources.pool.fetchval("select username from account") == "v3"
