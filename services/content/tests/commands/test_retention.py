"""Old answers go, with the snapshots they offered."""

from datetime import timedelta

from content.commands.retention import forget_answers


async def test_answers_go_after_their_time_and_snapshots_with_them(bus):
    pool, blobs = bus.resources.pool, bus.resources.blobs
    for name, age in (("old", "40 days"), ("young", "1 day")):
        await blobs.put_bytes(f"snapshots/{name}", b"{}")
        await pool.execute(
            "insert into answered_command (sender, command_id, body_digest, answer, answered_at) "
            "values ('s', $1, '', $2, now() - $3::text::interval)",
            name,
            {"snapshot": f"snapshots/{name}"},
            age,
        )
    await pool.execute(
        "insert into answered_command values ('s', 'import', '', '{}', now() - interval '99 days')",
    )
    assert await forget_answers(pool, blobs, kept=timedelta(days=30)) == 2
    assert [row["command_id"] for row in await pool.fetch("select command_id from answered_command")] == ["young"]
    assert await blobs.size("snapshots/old") is None
    assert await blobs.size("snapshots/young") == 2
