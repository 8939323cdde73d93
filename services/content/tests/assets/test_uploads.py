"""Uploading files: forms and bodies, names, limits, what is stored and what is not."""

import asyncio
import hashlib
import io

import pytest
from PIL import Image

from common.blobs import asset_key
from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
STRANGER = a_caller("stranger")
COURSE = "course-v1:Org+Demo+1"
KEY = "asset-v1:Org+Demo+1+type@asset+block@"
STUDIO, V0, OWN = f"/assets/{COURSE}", f"/api/contentstore/v0/file_assets/{COURSE}", f"/api/content/v1/assets/{COURSE}"


def a_form(name: str | bytes, data: bytes = b"hello", kind: str = "text/plain", *, field: str = "file") -> dict:
    """A form as a client sends it, its name written raw."""
    raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    head = b'--B\r\nContent-Disposition: form-data; name="' + field.encode() + b'"; filename="' + raw + b'"\r\n'
    body = head + f"Content-Type: {kind}\r\n\r\n".encode() + data + b"\r\n--B--\r\n"
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


async def versions(bus) -> int:
    return await bus.resources.pool.fetchval("select count(*) from version")


async def claims(bus) -> int:
    return await bus.resources.pool.fetchval("select count(*) from asset_claim")


@pytest.mark.parametrize(
    ("path", "status"), [(STUDIO, 200), (f"{STUDIO}/", 200), (V0, 200), (f"{V0}/", 200), (OWN, 201)]
)
async def test_an_upload_is_a_file_of_the_course(client, bus, demo, path, status):
    answer = await client.post(path, ADMIN, **a_form("my notes.txt"))
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["msg"] == "Upload completed"
    assert body["asset"] == {
        "display_name": "my notes.txt",
        "content_type": "text/plain",
        "date_added": body["asset"]["date_added"],
        "url": f"/{KEY}my_notes.txt",
        "external_url": f"https://lectern.example/{KEY}my_notes.txt",
        "portable_url": "/static/my_notes.txt",
        "thumbnail": None,
        "locked": False,
        "static_full_url": f"/assets/courseware/v1/{hashlib.sha256(b'hello').hexdigest()}/{KEY}my_notes.txt",
        "id": f"{KEY}my_notes.txt",
        "file_size": 5,
    }
    if status == 201:
        assert answer.headers["location"] == f"/{KEY}my_notes.txt"
    served = await client.get(f"/{KEY}my_notes.txt")
    assert (served.content, served.headers["content-type"]) == (b"hello", "text/plain")
    listed = (await client.get(path, ADMIN)).json()
    assert "my notes.txt" in [asset["display_name"] for asset in listed["assets"]]


async def test_one_upload_is_one_version_of_each_branch_and_announced(client, bus, demo):
    before, announced = await versions(bus), len(await bus.announced("content.course.published.v1"))
    answer = await client.post(STUDIO, ADMIN, **a_form("a.txt"))
    assert await versions(bus) == before + 2
    assert len(await bus.announced("content.course.published.v1")) == announced + 1
    heads = dict(await bus.resources.pool.fetch("select name, encode(guid, 'hex') from branch"))
    assert answer.headers["etag"] == f'"{heads["draft"]}"'
    again = await client.post(STUDIO, ADMIN, **a_form("a.txt"))
    assert (again.status_code, await versions(bus)) == (200, before + 2)


async def test_the_same_name_again_takes_the_place_and_keeps_the_lock(client, bus, demo):
    await client.post(STUDIO, ADMIN, **a_form("a.txt", b"one"))
    await client.request("PUT", f"{STUDIO}/a.txt", ADMIN, json={"locked": True})
    answer = await client.post(STUDIO, ADMIN, **a_form("a.txt", b"second"))
    asset = answer.json()["asset"]
    assert (asset["file_size"], asset["locked"]) == (6, True)
    assert (await client.get(f"/{KEY}a.txt", ADMIN)).content == b"second"
    # what an older version has is there for ever
    old = await bus.resources.blobs.get_bytes(asset_key(hashlib.sha256(b"one").hexdigest()))
    assert old == b"one"


async def test_the_same_bytes_are_stored_once_and_claimed(client, bus, demo):
    digest = hashlib.sha256(b"shared").hexdigest()
    for name in ("a.txt", "b.txt"):
        await client.post(STUDIO, ADMIN, **a_form(name, b"shared"))
    claimed = await bus.resources.pool.fetch("select encode(digest, 'hex') d from asset_claim")
    assert [row["d"] for row in claimed].count(digest) == 1
    assert await bus.resources.blobs.size(asset_key(digest)) == 6
    await bus.resources.pool.execute("update asset_claim set claimed_at = now() - interval '30 days'")
    await client.post(STUDIO, ADMIN, **a_form("c.txt", b"shared"))
    renewed = "select claimed_at > now() - interval '1 day' from asset_claim where digest = $1"
    assert await bus.resources.pool.fetchval(renewed, bytes.fromhex(digest))


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("a/b c.txt", "a_b_c.txt"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\\\\b.txt", "a_b.txt"),
        ("C:\\\\x.txt", "C__x.txt"),
        ("100%.txt", "100%.txt"),
        ("a+b@c.txt", "a_b_c.txt"),
        ("a  b.txt", "a__b.txt"),
        ("grüße.txt", "grüße.txt"),
        ("gru\u0308ße.txt", "grüße.txt"),
        ("日本.txt", "日本.txt"),
        ("<script>.txt", "_script_.txt"),
        ("a\0b.txt", "a_b.txt"),
        ("a\u202eb.txt", "a_b.txt"),
        ("x" * 251 + ".txt", "x" * 251 + ".txt"),
    ],
)
async def test_the_key_is_made_from_the_name(client, bus, demo, filename, name):
    answer = await client.post(STUDIO, ADMIN, **a_form(filename))
    assert answer.status_code == 200, answer.text
    asset = answer.json()["asset"]
    assert asset["id"] == f"{KEY}{name}"
    assert asset["display_name"].isprintable()
    assert "/" not in asset["display_name"]
    assert (await client.get(f"/{KEY}{name.replace('%', '%25')}")).content == b"hello"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (a_form(""), "bad_file_name"),
        (a_form("."), "bad_file_name"),
        (a_form(".."), "bad_file_name"),
        (a_form("x" * 252 + ".txt"), "bad_file_name"),
        (a_form("日" * 90), "bad_file_name"),
        (a_form("x" * 1_000_000), "bad_file_name"),
        (a_form(b"\xff\xfe.txt"), "malformed_form"),
        (a_form("a.txt", field="other"), None),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=B"}}, "no_file"),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data"}}, "malformed_form"),
        (a_form("a.txt") | {"content": a_form("a.txt")["content"][:-12]}, "malformed_form"),
        (
            a_form("a.txt") | {"content": a_form("a.txt")["content"][:-4] + b"\r\n" + a_form("b.txt")["content"]},
            "several_files",
        ),
        ({"content": b"plain", "headers": {"Content-Type": "text/plain"}}, "no_file"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, None),
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, "no_file"),
        ({"content": b"", "headers": {}}, "no_file"),
    ],
    ids=["empty", "dot", "dots", "long", "long-utf8", "megabyte", "not-utf8", "other-part", "no-part", "no-boundary",
         "cut", "two", "text", "broken-json", "json-without-file", "nothing"],
)  # fmt: skip
async def test_a_form_that_is_none_stores_nothing(client, bus, demo, form, code):
    before = await versions(bus), await claims(bus), await bus.resources.blobs.list_keys("assets")
    for path in (STUDIO, V0, OWN):
        answer = await client.post(path, ADMIN, **form)
        assert answer.status_code == 400, answer.text
        if code:
            assert answer.json()["error_code"] == code
    assert (await versions(bus), await claims(bus), await bus.resources.blobs.list_keys("assets")) == before


async def test_the_limit_is_ten_megabytes_inclusive(client, bus, demo, monkeypatch):
    full = await client.post(STUDIO, ADMIN, **a_form("full.bin", bytes(10_000_000)))
    assert (full.status_code, full.json()["asset"]["file_size"]) == (200, 10_000_000)
    before = await versions(bus), await claims(bus)
    over = await client.post(STUDIO, ADMIN, **a_form("a b.bin", bytes(10_000_001)))
    assert (over.status_code, over.json()["error"]) == (413, "File a b.bin exceeds maximum size of 10 MB.")
    rest = await client.request("PUT", f"{OWN}/a.bin", ADMIN, content=bytes(10_000_001))
    assert (rest.status_code, rest.json()["detail"]) == (413, "File a.bin exceeds maximum size of 10 MB.")
    padded = a_form("a.bin")
    padded["content"] = b"x" * 12_000_000 + b"\r\n" + padded["content"]
    assert (await client.post(STUDIO, ADMIN, **padded)).status_code == 400
    assert (await versions(bus), await claims(bus)) == before


async def test_an_image_has_its_thumbnail_at_once(client, demo):
    out = io.BytesIO()
    Image.new("RGB", (300, 150), "red").save(out, "PNG")
    answer = await client.post(STUDIO, ADMIN, **a_form("red.png", out.getvalue(), "image/png"))
    thumbnail = answer.json()["asset"]["thumbnail"]
    assert thumbnail == "/asset-v1:Org+Demo+1+type@thumbnail+block@red-png.jpg"
    assert (await client.get(thumbnail)).headers["content-type"] == "image/jpeg"
    broken = await client.post(STUDIO, ADMIN, **a_form("broken.png", b"no picture", "image/png"))
    assert (broken.status_code, broken.json()["asset"]["thumbnail"]) == (200, None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("image/png", "image/png"),
        ("text/html; charset=utf-8", "text/html"),
        ("nonsense", "text/plain"),
        ("text/" + "x" * 500, "application/octet-stream"),
        ("text/plain\tx", "application/octet-stream"),
    ],
)
async def test_the_type_is_what_the_part_says_if_it_is_one(client, demo, said, kept):
    answer = await client.post(STUDIO, ADMIN, **a_form("a.txt", kind=said))
    assert answer.json()["asset"]["content_type"] == kept


async def test_a_body_is_put_in_its_place(client, bus, demo):
    made = await client.request("PUT", f"{OWN}/data.json", ADMIN, content=b'{"locked": 1}',
                                headers={"Content-Type": "application/octet-stream"})  # fmt: skip
    assert (made.status_code, made.json()["asset"]["content_type"]) == (201, "application/json")
    before = await versions(bus)
    again = await client.request("PUT", f"{OWN}/data.json", ADMIN, content=b'{"locked": 1}')
    assert (again.status_code, await versions(bus)) == (200, before)
    by_key = await client.request(
        "PUT", f"{OWN}/{KEY}x.css", ADMIN, content=b"p{}", headers={"Content-Type": "text/css"}
    )
    assert (by_key.status_code, by_key.json()["asset"]["display_name"]) == (201, "x.css")
    form = await client.request("PUT", f"{OWN}/named.txt", ADMIN, **a_form("other name.txt"))
    assert form.json()["asset"]["id"] == f"{KEY}named.txt"
    for name, status in (("x" * 300, 400), ("..", 404)):
        answer = await client.request("PUT", f"{OWN}/{name}", ADMIN, content=b"x", headers={"Content-Type": "text/css"})
        assert answer.status_code == status, name


async def test_the_name_that_a_file_had_leads_to_it_as_well(client, bus, demo):
    given = await client.request(
        "PUT", f"{OWN}/my%20notes%20(1).txt", ADMIN, content=b"x", headers={"Content-Type": "text/css"}
    )
    assert (given.status_code, given.json()["asset"]["id"]) == (201, f"{KEY}my_notes__1_.txt")
    uploaded = await client.post(STUDIO, ADMIN, **a_form("ä+b.txt"))
    assert uploaded.json()["asset"]["id"] == f"{KEY}ä_b.txt"
    for name, key in (("my%20notes%20(1).txt", "my_notes__1_.txt"), ("a%CC%88%2Bb.txt", "ä_b.txt")):
        assert (await client.get(f"{STUDIO}/{name}", ADMIN)).json()["id"] == f"{KEY}{key}"
        assert (await client.request("DELETE", f"{STUDIO}/{name}", ADMIN)).status_code == 204
        assert (await client.get(f"{STUDIO}/{name}", ADMIN)).status_code == 404


async def test_a_repeated_post_with_a_key_is_answered_again(client, bus, demo):
    headers = {"Idempotency-Key": "once"}
    form = a_form("a.txt")
    first = await client.post(OWN, ADMIN, content=form["content"], headers=form["headers"] | headers)
    await client.request("DELETE", f"{OWN}/a.txt", ADMIN)
    again = await client.post(OWN, ADMIN, content=form["content"], headers=form["headers"] | headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert (await client.get(f"/{KEY}a.txt")).status_code == 404
    other = a_form("a.txt", b"else")
    answer = await client.post(OWN, ADMIN, content=other["content"], headers=other["headers"] | headers)
    assert answer.status_code == 422


async def test_a_rest_form_holds_the_file_and_nothing_else(client, demo):
    form = a_form("a.txt")
    form["content"] = b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' + form["content"]
    strict = await client.post(V0, ADMIN, **form)
    assert strict.status_code == 400
    assert strict.json()["field_errors"] == {"x": {"developer_message": "This field is not expected."}}
    assert (await client.post(STUDIO, ADMIN, **form)).status_code == 200


async def test_a_stale_upload_changes_nothing(client, bus, demo):
    first = await client.post(STUDIO, ADMIN, **a_form("a.txt", b"one"))
    second = await client.post(STUDIO, ADMIN, **a_form("a.txt", b"two"))
    before = await versions(bus)
    form = a_form("a.txt", b"three")

    async def post(etag: str):
        return await client.post(STUDIO, ADMIN, content=form["content"], headers=form["headers"] | {"If-Match": etag})

    stale = await post(first.headers["etag"])
    assert (stale.status_code, f'"{stale.json()["current_version"]}"') == (412, second.headers["etag"])
    assert await versions(bus) == before
    assert (await post(second.headers["etag"])).status_code == 200


async def test_who_may_upload_is_settled_before_the_body_is_read(client, bus, demo):
    async def endless():
        yield a_form("a.txt")["content"][:100]
        raise AssertionError("the body was read")

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    for caller, status in ((None, 401), (STRANGER, 403)):
        for path in (STUDIO, V0, OWN):
            answer = await client.post(path, caller, content=endless(), headers=headers)
            assert answer.status_code == status
    for path in ("/assets/course-v1:No+Such+1", "/api/contentstore/v0/file_assets/course-v1:No+Such+1"):
        answer = await client.post(path, ADMIN, content=endless(), headers=headers)
        assert (answer.status_code, answer.content) == (400, b"")


async def test_uploads_at_the_same_time_all_arrive(client, bus, demo):
    answers = await asyncio.gather(
        *(client.post(STUDIO, ADMIN, **a_form(f"{place}.txt", bytes([place]))) for place in range(8))
    )
    assert [answer.status_code for answer in answers] == [200] * 8
    listed = (await client.get(f"{STUDIO}?text_search=.txt", ADMIN)).json()
    assert listed["totalCount"] == 8
