"""Thumbnails of what an import brought: drawn once, in the background or when first asked for."""

import asyncio
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from common.testing.identity import a_caller
from common.testing.waiting import until
from content.thumbnails.operations import draw_waiting, give_way, keep_drawing, wait_for_calm

ADMIN = a_caller("admin", staff=True)
LIST = "/assets/course-v1:Org+Demo+1"
T = "/asset-v1:Org+Demo+1+type@thumbnail+block@"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


@pytest.fixture
async def course(bus, a_draft):
    draft = a_draft()
    out = io.BytesIO()
    Image.new("RGB", (300, 150), "red").save(out, "PNG")
    draft.asset("red.png", out.getvalue(), content_type="image/png")
    draft.asset("red-again.png", out.getvalue(), content_type="image/png", locked=True)
    draft.asset("v.svg", SVG, content_type="image/svg+xml")
    draft.asset("notes.txt", b"text", content_type="text/plain")
    await bus.import_course(draft)
    return draft


async def thumbnails(client) -> dict[str, str | None]:
    body = (await client.get(LIST, ADMIN)).json()
    return {asset["id"].rpartition("@")[2]: asset["thumbnail"] for asset in body["assets"]}


async def test_images_of_an_import_are_drawn_once_for_the_same_bytes(client, bus, course):
    before = await thumbnails(client)
    assert before == {
        "red.png": None, "red-again.png": None, "v.svg": f"{T}v.svg", "notes.txt": None, "pics_a_b.png": None
    }  # fmt: skip
    assert await draw_waiting(bus.resources.pool, bus.resources.blobs) == 2
    assert await draw_waiting(bus.resources.pool, bus.resources.blobs) == 0
    assert await thumbnails(client) == before | {
        "red.png": f"{T}red-png.jpg", "red-again.png": f"{T}red-again-png.jpg"
    }  # fmt: skip


async def test_the_background_draws_what_waits(bus, course):
    task = asyncio.create_task(keep_drawing(bus.resources, calm_seconds=0.1))
    waiting = "select count(*) from thumbnail where made_at is null"

    async def all_drawn() -> bool:
        return await bus.resources.pool.fetchval(waiting) == 0

    try:
        await until(all_drawn, what="picture drawn")
    finally:
        task.cancel()
    assert await bus.resources.pool.fetchval("select count(*) from thumbnail where data is not null") == 1


async def test_a_thumbnail_is_served_also_before_the_background_came_to_it(client, course):
    answer = await client.get(f"{T}red-png.jpg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (128, 64)
    assert answer.headers["cache-control"].startswith("public")
    known = await client.get(f"{T}red-png.jpg", headers={"If-None-Match": answer.headers["etag"]})
    assert known.status_code == 304
    part = await client.get(f"{T}red-png.jpg", headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, b"\xff\xd8")
    drawing = await client.get(f"{T}v.svg")
    assert (drawing.content, drawing.headers["content-type"]) == (SVG, "image/svg+xml")
    assert "sandbox" in drawing.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ["red.jpg", "notes.jpg", "notes-txt.jpg", "none-png.jpg", "pics_a_b-png.jpg", "red.png"]
)
async def test_what_has_no_thumbnail_is_not_found(client, course, name):
    assert (await client.get(f"{T}{name}")).status_code == 404


async def test_the_lock_of_a_file_is_its_thumbnails_too(client, course):
    assert (await client.get(f"{T}red-again-png.jpg")).status_code == 403
    answer = await client.get(f"{T}red-again-png.jpg", ADMIN)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache, no-store")


async def test_drawing_in_the_background_takes_what_nobody_else_wants_of_the_processor():
    """The thread's own priority is the least there is, and that of the process stays as it was."""
    loop, before = asyncio.get_running_loop(), os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1, initializer=give_way) as threads:
        there = await loop.run_in_executor(threads, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert (there, os.getpriority(os.PRIO_PROCESS, 0)) == (19, before)


async def test_while_imports_bring_more_nothing_is_drawn_but_not_for_ever(bus, course):
    pool, brought = bus.resources.pool, 0

    async def bring() -> None:
        nonlocal brought
        while True:
            brought += 1
            await pool.execute("insert into thumbnail (digest) values ($1)", brought.to_bytes(32, "big"))
            await asyncio.sleep(0.01)

    loop, bringing = asyncio.get_running_loop(), asyncio.create_task(bring())
    try:
        begun = loop.time()
        await wait_for_calm(pool, seconds=0.2, longest=0.5)
        assert 0.5 <= loop.time() - begun < 5
    finally:
        bringing.cancel()
        await asyncio.gather(bringing, return_exceptions=True)
    begun = loop.time()
    await wait_for_calm(pool, seconds=0.2, longest=60)
    assert 0.2 <= loop.time() - begun < 5
