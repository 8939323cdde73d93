import asyncio

import orjson
import pytest

from common.testing.identity import a_caller

COURSE = "course-v1:Org+Sample+2030"
AUTHOR = a_caller("alice", user_id=7)
D1, D2 = "1" * 24, "2" * 24


@pytest.fixture(autouse=True)
async def course(add_course):
    await add_course()


def snapshot(chapters):
    names = [f"chapter@{number}" for number in range(chapters)]
    blocks = {name: {"type": "chapter", "id": name[8:], "fields": {}, "settings": {}, "children": []} for name in names}
    root = {"type": "course", "id": "course", "fields": {}, "settings": {"self_paced": True}, "children": names}
    return orjson.dumps({"course_id": COURSE, "root": "course@course", "blocks": blocks | {"course@course": root}})


async def asked(system, count, path, *, chapters=1, draft=D1, caller=AUTHOR):
    """Content answers as a course whose draft is at that version."""
    asking = asyncio.create_task(system.http("GET", path, caller))
    command = await system.content.asked(count)
    if command["if_not_version"] == draft:
        await system.content.reply(command, "unchanged", draft_guid=draft)
    else:
        key = f"snapshots/{command['command_id']}"
        await system.resources.blobs.put_bytes(key, snapshot(chapters))
        await system.content.reply(command, snapshot=key, draft_guid=draft)
    answer = await asking
    assert answer.status_code == 200, answer.text
    return answer.json(), command


async def test_figures_are_of_the_draft_as_it_is_now(system):
    path = f"/api/courses/v1/quality/{COURSE}/"
    first, command = await asked(system, 1, f"{path}?sections=true")
    assert (command["branch"], command["if_not_version"]) == ("draft", None)
    assert (list(first), first["sections"]["total_number"]) == (["is_self_paced", "sections"], 1)
    again, command = await asked(system, 2, f"{path}?all=1")
    assert command["if_not_version"] == D1
    assert list(again) == ["is_self_paced", "sections", "subsections", "units", "videos"]
    changed, _ = await asked(system, 3, path[:-1] + "?sections=yes", chapters=3, draft=D2)
    assert changed["sections"]["total_number"] == 3
    other, _ = await asked(system, 4, f"/api/courses/v1/validation/{COURSE}?all=true", draft=D2)
    assert list(other) == [
        "is_self_paced", "dates", "assignments", "grades", "certificates", "updates", "proctoring",
    ]  # fmt: skip
    bare, _ = await asked(system, 5, f"/api/courses/v1/validation/{COURSE}/", draft=D2)
    assert bare == {"is_self_paced": True}
    assert (await system.http("GET", "/api/v0/tasks")).json()["count"] == 0
    assert await system.db.fetchval("select count(*) from outbox where type like 'import_export.job%'") == 0


@pytest.mark.parametrize("what", ["validation", "quality"])
async def test_it_is_for_authors(http, what):
    path = f"/api/courses/v1/{what}/"
    assert (await http("GET", path + COURSE, a_caller("student"))).status_code == 403
    assert (await http("GET", path + COURSE, a_caller(None))).status_code == 401
    assert (await http("GET", path + "course-v1:No+Such+Course", AUTHOR)).status_code == 404
    unanswered = await http("GET", path + COURSE, AUTHOR)
    assert (unanswered.status_code, unanswered.headers["retry-after"]) == (503, "2")
    assert set(unanswered.json()) == {"developer_message", "error_code"}


async def test_contents_refusal_is_the_answer(system):
    asking = asyncio.create_task(system.http("GET", f"/api/courses/v1/quality/{COURSE}", AUTHOR))
    await system.content.reply(await system.content.asked(), "rejected", code="not_found", message="No.")
    assert (await asking).status_code == 404
