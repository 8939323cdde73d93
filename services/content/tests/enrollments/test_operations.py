"""The copy of enrollments: the latest version wins, thousands at a time."""

from content.enrollments.operations import keep_enrollments


def change(user_id: int, version: int, *, course="course-v1:Org+Demo+1", mode="audit", active=True) -> dict:
    return {
        "user_id": user_id, "username": f"u{user_id}", "course_id": course, "mode": mode, "is_active": active,
        "version": version, "changed_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


async def hear(bus, *batches):
    messages = [bus.message("enrollment.enrollments.changed.v1", {"changes": batch}) for batch in batches]
    async with bus.resources.sessions.begin() as session:
        await keep_enrollments(session, messages)


async def test_a_batch_is_taken_over_in_one_statement_and_older_news_is_ignored(bus):
    await hear(bus, [change(user, 2) for user in range(500)], [change(user, 1, mode="honor") for user in range(500)])
    await hear(bus, [change(7, 3, active=False), change(8, 1, active=False)])
    rows = {row["user_id"]: row for row in await bus.resources.pool.fetch("select * from enrollment")}
    assert len(rows) == 500
    assert {row["mode"] for row in rows.values()} == {"audit"}
    assert (rows[7]["is_active"], rows[8]["is_active"]) == (False, True)


async def test_both_spellings_of_a_course_are_one_and_an_unreadable_one_is_passed_over(bus):
    await hear(bus, [change(1, 1, course="Org/Demo/1"), change(1, 2), change(2, 1, course="nonsense")])
    rows = await bus.resources.pool.fetch("select user_id, course_key, version from enrollment")
    assert [tuple(row.values()) for row in rows] == [(1, "course-v1:Org+Demo+1", 2)]
