"""Files over HTTP: bytes, ranges, locks."""

import asyncio
import hashlib

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
LEARNER = a_caller("learner")
STRANGER = a_caller("stranger")
NOBODY = a_caller(None)
DATA = b"0123456789"
A = "/asset-v1:Org+Demo+1+type@asset+block@"


@pytest.fixture
async def course(bus, a_draft):
    draft = a_draft()
    draft.asset("open.txt", DATA, content_type="text/plain", displayname="open.txt")
    draft.asset("locked.pdf", DATA, content_type="application/pdf", displayname="locked.pdf", locked=True)
    draft.asset("big.bin", b"x" * 1_500_000, displayname="big.bin")
    await bus.import_course(draft)
    await bus.enroll(LEARNER)
    return draft


@pytest.mark.parametrize("path", [f"{A}open.txt", f"{A.replace('+', '%2B')}open.txt", "/c4x/Org/Demo/asset/open.txt"])
async def test_an_open_file_is_anybodys(client, course, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["etag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "public, max-age=300, s-maxage=300"
    head = await client.request("HEAD", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")


async def test_ranges_and_validators(client, course):
    part = await client.get(f"{A}open.txt", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    beyond = await client.get(f"{A}open.txt", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    several = await client.get(f"{A}open.txt", headers={"Range": "bytes=0-1,3-4"})
    assert (several.status_code, several.content) == (200, DATA)
    known = await client.get(f"{A}open.txt", headers={"If-None-Match": part.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    known = await client.get(f"{A}open.txt", headers={"If-Modified-Since": part.headers["last-modified"]})
    assert known.status_code == 304
    big = await client.get(f"{A}big.bin")
    assert (big.status_code, len(big.content)) == (200, 1_500_000)
    assert big.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("caller", "status"), [(NOBODY, 403), (STRANGER, 403), (LEARNER, 200), (a_caller("robot"), 200), (ADMIN, 200)]
)
async def test_a_locked_file_is_the_learners_and_the_teams(client, course, caller, status):
    for path in (f"{A}locked.pdf", "/c4x/Org/Demo/asset/locked.pdf"):
        answer = await client.get(path, caller)
        assert answer.status_code == status
        if status == 403:
            assert answer.text == "Unauthorized"
        else:
            assert answer.headers["cache-control"] == "private, no-cache, no-store"


async def test_an_enrollment_on_its_way_opens_the_lock(patient_client, bus, course):
    async def enroll_soon() -> None:
        await asyncio.sleep(0.15)
        await bus.enroll(STRANGER)

    answers = await asyncio.gather(patient_client.get(f"{A}locked.pdf", STRANGER), enroll_soon())
    assert answers[0].status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{A}none.txt", 404),
        ("/asset-v1:No+Such+1+type@asset+block@open.txt", 404),
        ("/asset-v1:Org+Demo+1+type@thumbnail+block@open.txt", 404),
        ("/asset-v1:nonsense", 400),
        ("/c4x/Org/None/asset/open.txt", 404),
        ("/c4x/Org/Demo/asset/../../x", 400),
    ],
)
async def test_unknown_and_malformed(client, course, path, status):
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_bytes_lost_from_the_store_are_not_found(client, bus, course):
    from common.blobs import asset_key

    digest = course.assets["big.bin"]["digest"]
    await bus.resources.blobs.delete(asset_key(digest))
    assert (await client.get(f"{A}big.bin")).status_code == 404
