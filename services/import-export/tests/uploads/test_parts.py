import asyncio
import base64
import hashlib

import pytest

from common.testing.identity import a_caller
from import_export.tasks.litter import clear_litter
from import_export.uploads.errors import BadChecksum, BadContentRange
from import_export.uploads.models import Question, Range, announced_checksum, read_content_range

COURSE = "course-v1:Org+Sample+2030"
PATH = f"/api/v0/import/{COURSE}"


@pytest.fixture
def send(http, archive):
    """One part of the archive, by its place."""

    async def part(first, last, *, total=None, body=None, path=PATH, form=False, **more):
        headers = {"content-range": f"bytes {first}-{last}/{total or len(archive)}"} | more.pop("headers", {})
        data = archive[first : last + 1] if body is None else body
        if form:
            return await http("POST", path, files={"course_data": ("c.tar.gz", data)}, headers=headers, **more)
        return await http("POST", path, content=data, headers=headers | {"content-type": "application/x-tgz"}, **more)

    return part


def pieces(archive, count=3):
    step = -(-len(archive) // count)
    return [(first, min(first + step, len(archive)) - 1) for first in range(0, len(archive), step)]


@pytest.mark.parametrize("form", [False, True])
async def test_an_archive_in_parts_becomes_one_task(http, db, resources, archive, send, form):
    places = pieces(archive)
    for first, last in places[:-1]:
        answer = await send(first, last, form=form)
        (file,) = answer.json()["files"]
        assert (answer.status_code, file["size"], file["name"]) == (
            200,
            last + 1,
            "c.tar.gz" if form else "course.tar.gz",
        )
        assert set(file) == {"name", "size", "deleteUrl", "deleteType", "url", "thumbnailUrl"}
        assert await db.fetchval("select count(*) from job") == 0
    done = await send(*places[-1], form=form)
    assert done.status_code == 202
    assert await resources.blobs.get_bytes(f"uploads/{done.json()['task_id']}") == archive
    assert await db.fetchval("select archive_digest from job") == hashlib.sha256(archive).hexdigest()
    await clear_litter(resources)
    upload = await db.fetchval("select id::text from partial_upload")
    assert not [key for key in await resources.blobs.list_keys("parts") if upload in key]


async def test_parts_sent_again_count_once(http, db, archive, send):
    places = pieces(archive)
    await send(*places[0])
    for _ in range(2):
        answer = await send(*places[1])
        assert answer.json()["files"][0]["size"] == places[1][1] + 1
    first, again = await send(*places[2]), await send(*places[2])
    assert first.json() == again.json()
    assert await db.fetchval("select count(*) from job") == 1


async def test_the_last_part_twice_at_once_is_one_task(http, db, archive, send):
    places = pieces(archive, 2)
    await send(*places[0])
    answers = await asyncio.gather(*(send(*places[1]) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert await db.fetchval("select count(*) from job") == 1


@pytest.mark.parametrize(
    ("first", "last", "change", "status", "code", "received"),
    [
        (20, 29, {}, 409, "parts_disagree", 10),  # a gap
        (5, 14, {}, 409, "parts_disagree", 10),  # an overlap
        (5, 9, {}, 409, "parts_disagree", 10),  # part of a part
        (10, 19, {"total": 99}, 409, "parts_disagree", 10),
        (10, 19, {"body": b"short"}, 400, "bad_content_range", None),
        (10, 19, {"total": 5}, 400, "bad_content_range", None),
        (10, 5, {}, 400, "bad_content_range", None),
        (10, 19, {"headers": {"content-range": "bytes ten-20/30"}}, 400, "bad_content_range", None),
        (10, 19, {"total": 99_999_999_999}, 413, "upload_too_large", None),
        (10, 19, {"params": {"filename": "other.tgz"}}, 409, "parts_missing", 0),
        (10, 19, {"params": {"filename": "other.exe"}}, 400, "wrong_format", None),
    ],
)
async def test_a_part_that_does_not_fit_is_refused_and_the_rest_can_go_on(
    http, db, archive, send, first, last, change, status, code, received
):
    await send(0, 9)
    answer = await send(first, last, **change)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    if received is not None:
        assert answer.json()["received"] == received
    assert await db.fetchval("select received from partial_upload") == 10
    done = await send(10, len(archive) - 1)
    assert done.status_code == 202


async def test_upstreams_words_for_lost_parts(send):
    missing = await send(10, 19)
    assert missing.json()["developer_message"] == "Some chunks missed during file upload. Please try again"
    await send(0, 9)
    gap = await send(20, 29)
    assert gap.json()["developer_message"] == "File upload failed. Please try again"


async def test_a_first_part_begins_anew(db, archive, send):
    for _ in range(2):
        await send(0, 9)
        await send(10, 19)
    await send(0, 9, body=b"x" * 10)
    assert await db.fetchval("select received from partial_upload") == 10
    assert await db.fetchval("select count(*) from partial_upload") == 1


async def test_the_same_file_of_two_people_is_two_uploads(http, db, archive, send, add_course):
    await add_course()
    await send(0, 9)
    headers = {"content-type": "application/x-tgz", "content-range": f"bytes 10-19/{len(archive)}"}
    answer = await http("POST", PATH, a_caller("alice", user_id=7), content=archive[10:20], headers=headers)
    assert answer.json()["error_code"] == "parts_missing"


async def test_how_far_an_upload_has_come_can_be_asked(http, archive, send):
    async def asked(total=None):
        answer = await http("PUT", PATH, headers={"content-range": f"bytes */{total or len(archive)}"})
        return answer.json()["files"][0]["size"]

    assert await asked() == 0
    await send(0, 9)
    assert (await asked(), await asked(99)) == (10, 0)


@pytest.mark.parametrize("where", ["query", "form", "repr-digest", "digest"])
@pytest.mark.parametrize("right", [True, False])
async def test_an_announced_checksum_must_be_the_archives(http, db, resources, archive, where, right):
    digest = hashlib.sha256(archive if right else b"other").digest()
    text = base64.b64encode(digest).decode()
    headers = {"repr-digest": f"sha-256=:{text}:"} if where == "repr-digest" else {}
    headers |= {"digest": f"SHA-256={text}"} if where == "digest" else {}
    answer = await http(
        "POST",
        PATH,
        files={"file": ("c.tgz", archive)},
        data={"sha256": digest.hex()} if where == "form" else {},
        params={"sha256": digest.hex().upper()} if where == "query" else {},
        headers=headers,
    )
    assert answer.status_code == (202 if right else 422)
    assert right or answer.json()["error_code"] == "checksum_mismatch"
    assert await db.fetchval("select count(*) from job") == int(right)


async def test_parts_with_another_checksum_are_thrown_away(db, resources, archive, send):
    await send(0, 9)
    answer = await send(10, len(archive) - 1, params={"sha256": "0" * 64})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "checksum_mismatch")
    assert await db.fetchval("select count(*) from job") == 0
    again = await send(10, len(archive) - 1)
    assert again.json()["error_code"] == "parts_missing"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes 0-99/1000", Range(0, 99, 1000)),
        ("0-0/1", Range(0, 0, 1)),
        ("items 5-9/10", Range(5, 9, 10)),
        ("bytes */77", Question(77)),
    ],
)
def test_content_ranges(text, found):
    assert read_content_range(text) == found


@pytest.mark.parametrize("text", ["", "bytes", "bytes 5-4/10", "bytes 0-10/10", "0-٣/10", "bytes 0-1/*", "-1/2"])
def test_what_is_no_content_range(text):
    with pytest.raises(BadContentRange):
        read_content_range(text)


@pytest.mark.parametrize(
    ("headers", "query"), [({}, {"sha256": "xyz"}), ({"digest": "sha-256=short"}, {}), ({"repr-digest": "sha-256"}, {})]
)
def test_what_is_no_checksum(headers, query):
    with pytest.raises(BadChecksum):
        announced_checksum(headers, query)


def test_other_digests_are_left_alone():
    assert announced_checksum({"digest": "md5=HUXZLQLMuI/KZ5KDcJPcOA=="}) is None
