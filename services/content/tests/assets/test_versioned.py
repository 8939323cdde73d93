"""Addresses that name the bytes: kept for ever when right, sent on when not."""

import hashlib

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
KEY = "asset-v1:Org+Demo+1+type@asset+block@"
DATA = b"0123456789"
DIGEST = hashlib.sha256(DATA).hexdigest()
WRONG = "0" * 32


@pytest.fixture(scope="module")
async def client(reading, a_draft):
    client, bus = reading
    draft = a_draft()
    draft.asset("open.txt", DATA, content_type="text/plain")
    draft.asset("locked.txt", DATA, content_type="text/plain", locked=True)
    draft.asset("100%25_é.txt", DATA, content_type="text/plain")
    await bus.import_course(draft)
    return client


@pytest.mark.parametrize("version", ["v1/", ""])
@pytest.mark.parametrize("key", [f"{KEY}open.txt", "c4x/Org/Demo/asset/open.txt"])
async def test_the_right_digest_is_kept_for_ever(client, version, key):
    answer = await client.get(f"/assets/courseware/{version}{DIGEST}/{key}")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["cache-control"] == "public, max-age=31536000, s-maxage=31536000, immutable"
    assert "expires" in answer.headers
    head = await client.request("HEAD", f"/assets/courseware/{version}{DIGEST}/{key}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")


@pytest.mark.parametrize("version", ["v1/", ""])
@pytest.mark.parametrize("key", [f"{KEY}open.txt", "c4x/Org/Demo/asset/open.txt"])
async def test_another_digest_is_sent_on_to_the_right_one(client, version, key):
    answer = await client.get(f"/assets/courseware/{version}{WRONG}/{key}")
    assert (answer.status_code, answer.headers["location"]) == (301, f"/assets/courseware/v1/{DIGEST}/{KEY}open.txt")


async def test_the_lists_address_leads_to_the_bytes(client):
    listed = (await client.get("/assets/course-v1:Org+Demo+1", ADMIN)).json()["assets"]
    full = {asset["display_name"]: asset["static_full_url"] for asset in listed}
    assert full["open.txt"] == f"/assets/courseware/v1/{DIGEST}/{KEY}open.txt"
    assert full["locked.txt"] == f"/{KEY}locked.txt"
    # as written: a client that does not escape the percent sign gets the file all the same
    for name in ("100%25_é.txt", "100%2525_%C3%A9.txt"):
        answer = await client.get(f"/assets/courseware/v1/{DIGEST}/{KEY}{name}")
        assert (answer.status_code, answer.content) == (200, DATA)
    moved = await client.get(f"/assets/courseware/v1/{WRONG}/{KEY}100%2525_%C3%A9.txt")
    assert moved.status_code == 301
    assert (await client.get(moved.headers["location"])).content == DATA


async def test_a_locked_file_is_locked_here_too_and_never_kept(client):
    for digest in (DIGEST, WRONG):
        refused = await client.get(f"/assets/courseware/v1/{digest}/{KEY}locked.txt")
        assert (refused.status_code, refused.text) == (403, "Unauthorized")
    answer = await client.get(f"/assets/courseware/v1/{DIGEST}/{KEY}locked.txt", ADMIN)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache, no-store")
    moved = await client.get(f"/assets/courseware/v1/{WRONG}/{KEY}locked.txt", ADMIN)
    assert (moved.status_code, moved.headers["cache-control"]) == (301, "private, no-cache, no-store")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"v1/{DIGEST}/{KEY}none.txt", 404),
        (f"v1/{DIGEST}/asset-v1:nonsense", 400),
        (f"v1/{DIGEST}/nonsense", 400),
        (f"{DIGEST}/{KEY}../x", 400),
        (f"v1/{DIGEST}/{KEY}a%00b", 404),
    ],
)
async def test_unknown_and_malformed(client, path, status):
    answer = await client.get(f"/assets/courseware/{path}")
    assert answer.status_code == status
    assert answer.json()["error"]
