import asyncio
import io
import tarfile
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from common.testing.identity import a_caller
from common.testing.waiting import until
from import_export.workers import ring

COURSE = "course-v1:Org+Sample+2030"
PATH = f"/api/v0/export/{COURSE}"
TGZ = {"accept": "application/x-tgz"}
P1, P2, D1, D2 = "a" * 24, "b" * 24, "1" * 24, "2" * 24


@pytest.fixture(autouse=True)
async def course(add_course):
    await add_course()


@pytest.fixture(scope="module")
async def snapshot(resources):
    """What content writes for the sample course."""
    blobs = resources.blobs
    await blobs.put_bytes(f"assets/e3/{EMPTY}", b"")
    return SNAPSHOT


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SNAPSHOT = {
    "format": 1,
    "course_id": COURSE,
    "org": "Org",
    "number": "Sample",
    "run": "2030",
    "root": "course@course",
    "blocks": {
        "course@course": {
            "type": "course",
            "id": "course",
            "fields": {},
            "settings": {"display_name": "Sample"},
            "children": ["chapter@one"],
        },
        "chapter@one": {"type": "chapter", "id": "one", "fields": {}, "settings": {}, "children": []},
    },
    "drafts": {},
    "assets": {
        "a.png": {
            "digest": EMPTY,
            "size": 0,
            "content_type": "image/png",
            "displayname": "a.png",
            "locked": False,
            "import_path": "a.png",
            "extra": {},
        }
    },
    "files": {},
}
DRAFT = {
    "type": "chapter",
    "id": "one",
    "fields": {},
    "settings": {"display_name": "Renamed"},
    "children": [],
    "parent": "course@course",
    "index": 0,
}


@pytest.fixture
def answering(system, snapshot):
    """Content answers every command as a course at these heads would be answered for."""

    async def answer(count, *, published=P1, draft=D1, drafts=None):
        command = await system.content.asked(count)
        main = command["version"] or (draft if command["branch"] == "draft" else published)
        heads = {"published_guid": published, "draft_guid": draft}
        if command["if_not_version"] == main:
            await system.content.reply(command, "unchanged", **heads)
            return command
        key = f"snapshots/{command['command_id']}"
        await system.resources.blobs.put_bytes(key, orjson.dumps(snapshot | {"drafts": drafts or {}}))
        await system.content.reply(command, snapshot=key, **heads)
        return command

    return answer


async def export(system, answering, count, path=PATH, headers=TGZ, **heads):
    asking = asyncio.create_task(system.http("GET", path, headers=headers))
    command = await answering(count, **heads)
    return await asking, command


async def test_an_export_is_a_named_archive_with_the_versions_tag(system, answering):
    answer, command = await export(system, answering, 1)
    assert answer.status_code == 200, answer.text
    assert (command["branch"], command["version"], command["if_not_version"]) == (None, None, None)
    assert answer.headers["content-type"] == "application/x-tgz"
    assert answer.headers["etag"] == f'"{P1}"'
    assert answer.headers["content-disposition"] == 'attachment; filename="Org.Sample.2030.tar.gz"'
    assert answer.headers["vary"] == "Accept"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        names = tar.getnames()
        assert tar.getmember("course/static/a.png").mtime == 0
    assert {"course/course.xml", "course/chapter/one.xml", "course/static/a.png"} <= set(names)
    assert list(system.resources.settings.spool_dir.iterdir()) == []


async def test_content_is_asked_again_every_time_and_the_archive_is_built_once(system, answering):
    first, _ = await export(system, answering, 1)
    again, command = await export(system, answering, 2)
    assert command["if_not_version"] == P1
    assert again.content == first.content
    assert await system.db.fetchval("select count(*) from archive") == 1


async def test_the_same_version_is_the_same_bytes_when_built_anew(system, answering):
    first, _ = await export(system, answering, 1)
    await system.db.execute("delete from archive")
    second, _ = await export(system, answering, 2)
    assert second.content == first.content


async def test_a_published_change_is_never_answered_with_the_old_archive(system, answering):
    await export(system, answering, 1)
    changed, _ = await export(system, answering, 2, published=P2)
    assert changed.headers["etag"] == f'"{P2}"'
    assert await system.db.fetchval("select count(*) from archive") == 2


async def test_a_new_draft_beside_the_same_published_version_is_another_archive(system, answering):
    """Content compares what is published; that the drafts have moved shows in its answer, and it is asked again."""
    await export(system, answering, 1)
    asking = asyncio.create_task(system.http("GET", PATH, headers=TGZ))
    unchanged = await answering(2, draft=D2)
    assert unchanged["if_not_version"] == P1
    again = await answering(3, draft=D2, drafts={"chapter@one": DRAFT})
    assert again["if_not_version"] is None
    answer = await asking
    assert answer.headers["etag"] == f'"{P1}-{D2}"'
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        assert any(name.startswith("course/drafts/") for name in tar.getnames())


@pytest.mark.parametrize(
    ("query", "branch", "etag"),
    [
        ("published", "published", P1),
        ("published-branch", "published", P1),
        ("draft", "draft", D1),
        ("draft-branch", "draft", D1),
    ],
)
async def test_a_branch_is_exported_by_either_name(system, answering, query, branch, etag):
    answer, command = await export(system, answering, 1, f"{PATH}?branch={query}")
    assert (command["branch"], answer.headers["etag"]) == (branch, f'"{etag}"')
    _, command = await export(system, answering, 2, f"{PATH}?branch={query}")
    assert command["if_not_version"] == etag


async def test_a_version_never_changes_so_it_is_asked_for_once(system, answering):
    answer, command = await export(system, answering, 1, f"{PATH}?version={P2.upper()}")
    assert (command["version"], answer.headers["etag"]) == (P2, f'"{P2}"')
    again = await system.http("GET", f"{PATH}?version={P2}", headers=TGZ)
    assert again.content == answer.content
    assert len(system.content.commands) == 1


async def test_who_has_the_version_gets_no_bytes(system, answering):
    await export(system, answering, 1)
    for count, tag in ((2, f'"{P1}"'), (3, f'W/"{P1}", "x"'), (4, "*")):
        answer, _ = await export(system, answering, count, headers=TGZ | {"if-none-match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", f'"{P1}"')
    changed, _ = await export(system, answering, 5, headers=TGZ | {"if-none-match": f'"{P1}"'}, published=P2)
    assert changed.status_code == 200


async def test_a_part_can_be_had(system, answering):
    whole, _ = await export(system, answering, 1)
    part, _ = await export(system, answering, 2, headers=TGZ | {"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    stale = TGZ | {"range": "bytes=10-19", "if-range": '"other"'}
    assert (await export(system, answering, 3, headers=stale))[0].status_code == 200


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=", "bytes=5-1", "bytes=a-b", "bytes=1-2,9-3", "bytes"])
async def test_what_is_no_range_means_the_whole(system, answering, asked):
    whole, _ = await export(system, answering, 1)
    answer, _ = await export(system, answering, 2, headers=TGZ | {"range": asked})
    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ("*/*", 200, "application/x-tgz"),
        ("application/gzip", 200, "application/x-tgz"),
        ("application/octet-stream;q=0.5, image/png", 200, "application/x-tgz"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200, "text/html; charset=utf-8"),
        ("application/json", 406, "application/json"),
        ("image/png", 406, "application/json"),
        ("application/x-tgz;q=0", 406, "application/json"),
    ],
)
async def test_the_form_follows_accept(system, answering, accept, status, media):
    asking = asyncio.create_task(system.http("GET", PATH, headers={"accept": accept}))
    if media == "application/x-tgz":
        await answering(1)
    answer = await asking
    assert (answer.status_code, answer.headers["content-type"]) == (status, media)
    if media.startswith("text/html"):
        assert "_accept=application/x-tgz" in answer.text


async def test_the_query_stands_over_accept(system, answering):
    answer, _ = await export(system, answering, 1, f"{PATH}?_accept=application/x-tgz", {"accept": "text/html"})
    assert answer.headers["content-type"] == "application/x-tgz"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("branch=master", "invalid_branch"),
        ("version=xyz", "invalid_version"),
        (f"branch=draft&version={P1}", "branch_and_version"),
    ],
)
async def test_a_choice_that_is_none_is_refused(http, query, code):
    answer = await http("GET", f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)


async def test_a_course_nobody_has_heard_of_is_not_found(http):
    answer = await http("GET", "/api/v0/export/course-v1:No+Such+Course", headers=TGZ)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "course_does_not_exist")


@pytest.mark.parametrize(
    ("code", "status"),
    [("not_found", 404), ("version_not_found", 404), ("permission_denied", 403), ("rejected", 422)],
)
async def test_contents_refusal_is_the_answer(system, code, status):
    asking = asyncio.create_task(system.http("GET", PATH, headers=TGZ))
    await system.content.reply(await system.content.asked(), "rejected", code=code, message="No.")
    answer = await asking
    assert answer.status_code == status
    assert set(answer.json()) >= {"developer_message", "error_code"}


async def test_who_has_waited_long_enough_is_told_where_to_look(http, db, resources):
    """Nothing answers here, and this client does not wait."""
    answer = await http("GET", PATH, headers=TGZ)
    assert answer.status_code == 202
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["location"] == answer.json()["url"]
    task = await http.task(answer.json()["task_id"])
    assert (task["kind"], task["state"], task["stage"]) == ("export", "In Progress", "Exporting")
    assert task["download_url"] == f"http://lectern.test{PATH}"
    await ring(resources, now=datetime.now(UTC) + timedelta(minutes=11))
    assert (await http.task(answer.json()["task_id"]))["error"]["code"] == "no_answer"


async def test_an_export_can_be_given_up_at_any_moment(http):
    task_id = (await http("GET", PATH, headers=TGZ)).json()["task_id"]
    answer = await http("POST", f"/api/v0/tasks/{task_id}/cancel")
    assert answer.json()["state"] == "Canceled"


async def test_a_block_that_cannot_be_written_fails_the_export_with_its_name(system):
    broken = {
        "format": 1,
        "course_id": COURSE,
        "org": "Org",
        "number": "Sample",
        "run": "2030",
        "root": "course@course",
    }
    blocks = {
        "course@course": {"type": "course", "id": "course", "fields": {}, "settings": {}, "children": ["1st@p"]},
        "1st@p": {"type": "1st", "id": "p", "fields": {}, "settings": {}, "children": []},
    }
    asking = asyncio.create_task(system.http("GET", PATH, headers=TGZ))
    command = await system.content.asked()
    document = orjson.dumps(broken | {"blocks": blocks, "drafts": {}, "assets": {}, "files": {}})
    await system.resources.blobs.put_bytes("snapshots/broken", document)
    await system.content.reply(command, snapshot="snapshots/broken", published_guid=P1, draft_guid=D1)
    answer = await asking
    assert (answer.status_code, answer.json()["reason"]) == (422, "unwritable_block")
    assert "1st@p" in answer.json()["developer_message"]


async def test_an_archive_whose_bytes_are_gone_is_built_anew(system, answering):
    first, _ = await export(system, answering, 1, f"{PATH}?version={P1}")
    await system.resources.blobs.delete(await system.db.fetchval("select blob from archive"))
    again, _ = await export(system, answering, 2, f"{PATH}?version={P1}")
    assert again.content == first.content


async def test_the_cache_makes_room_for_the_newest(system, answering):
    first, _ = await export(system, answering, 1, f"{PATH}?version={P1}")
    old = await system.db.fetchval("select blob from archive")
    await system.db.execute("update archive set size = 10000000, used_at = now() - interval '1 day'")
    await export(system, answering, 2, f"{PATH}?version={P2}")

    async def has_made_room() -> bool:
        kept = [row["etag"] for row in await system.db.fetch("select etag from archive")]
        return kept == [P2] and await system.resources.blobs.size(old) is None

    await until(has_made_room, what="room made")
    again, _ = await export(system, answering, 3, f"{PATH}?version={P1}")
    assert again.content == first.content


async def test_a_caller_without_a_role_does_not_even_reach_content(system):
    answer = await system.http("GET", PATH, a_caller("mallory"), headers=TGZ)
    assert answer.status_code == 403
    assert system.content.commands == []


async def test_exports_of_many_callers_at_once_are_one_archive(system, answering):
    asking = [asyncio.create_task(system.http("GET", PATH, headers=TGZ)) for _ in range(5)]
    for count in range(1, 6):
        await answering(count)
    answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await system.db.fetchval("select count(*) from archive") == 1

    async def only_one():
        blobs = await system.resources.blobs.list_keys("archives")
        kept = await system.db.fetchval("select blob from archive")
        mine = {row["blob"] for row in await system.db.fetch("select 'archives/' || id as blob from job")}
        return mine & set(blobs) == {kept}

    await until(only_one, what="removal of superfluous archives")
