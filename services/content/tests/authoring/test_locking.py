"""Optimistic locking, and which branch a write means."""

import asyncio

from content.versions.models import DRAFT, PUBLISHED

V = "block-v1:Org+Demo+1+{}type@html+block@intro"
BODY = {"metadata": {"display_name": "Mine"}}


async def test_a_stale_if_match_is_412_and_a_stale_version_in_the_key_409_with_the_current_one(studio):
    stale = (await studio.heads())[DRAFT]
    await studio.put("video@film", metadata={"display_name": "Meanwhile"})
    current = (await studio.heads())[DRAFT]
    writes = [
        ("PUT", "html@intro", BODY), ("PATCH", "html@intro", BODY), ("DELETE", "html@intro", None),
        ("POST", None, {"parent_locator": studio.key("vertical@u1"), "category": "html"}),
        ("POST", None, {"parent_locator": studio.key("vertical@u1"), "duplicate_source_locator": studio.key(
            "html@intro")}),
        ("PATCH", None, {"parent_locator": studio.key("vertical@u2"), "move_source_locator": studio.key("html@intro")}),
    ]  # fmt: skip
    for method, place, body in writes:
        answer = await studio.refused(412, method, place, body, headers={"If-Match": f'"{stale}"'})
        assert answer.json()["current_version"] == current
        assert answer.json()["error"]
    for place in (V.format(f"version@{stale}+"), V.format(f"branch@draft-branch+version@{stale}+"),
                  f"course-v1:Org+Demo+1/branch/draft/version/{stale}/block/intro",
                  V.format(f"version@{'0' * 24}+")):  # fmt: skip
        for method, body in (("PUT", BODY), ("DELETE", None)):
            answer = await studio.refused(409, method, place, body)
            assert answer.json()["current_version"] == current


async def test_the_current_version_lets_a_write_through_and_the_reply_has_the_next(studio):
    current = (await studio.heads())[DRAFT]
    read = await studio.ok("GET", "html@intro")
    assert read.headers["etag"].startswith(f'"{current}.')
    answer = await studio.ok("PUT", "html@intro", BODY, headers={"If-Match": read.headers["etag"]})
    following = answer.headers["etag"]
    assert following != read.headers["etag"]
    await studio.refused(412, "PUT", "html@intro", BODY, headers={"If-Match": read.headers["etag"]})
    for given in (following, f"W/{following}", "*", f'"x", {following}'):
        await studio.ok("PUT", "html@intro", BODY, headers={"If-Match": given})
    await studio.ok("PUT", V.format(f"version@{following.strip(chr(34))}+"), BODY)


async def test_of_two_writers_with_the_same_version_one_wins(studio):
    current = (await studio.heads())[DRAFT]
    writes = [
        studio.send("PUT", "html@intro", {"metadata": {"n": n}}, headers={"If-Match": f'"{current}"'}) for n in range(4)
    ]
    answers = await asyncio.gather(*writes)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_a_version_alone_does_not_say_what_to_write(studio):
    current = (await studio.heads())[DRAFT]
    for place in (f"block-v1:version@{current}+type@html+block@intro", f"version/{current}/block/intro"):
        for method, body in (("PUT", BODY), ("DELETE", None), ("POST", BODY)):
            answer = await studio.refused(400, method, place, body)
            assert answer.json()["error_code"] == "insufficient_specification"
    await studio.refused(404, "PUT", f"version/{'0' * 24}/block/intro", BODY)


async def test_the_published_branch_is_written_by_publishing(studio):
    place = V.format("branch@published-branch+")
    for method, body in (("PUT", BODY), ("POST", {"publish": "make_public"}), ("PATCH", BODY)):
        answer = await studio.refused(400, method, place, body)
        assert answer.json()["error_code"] == "published_branch"
    await studio.refused(404, "PUT", V.format("branch@other+"), BODY)
    body = {"parent_locator": place.replace("html+block@intro", "vertical+block@u1"), "category": "html"}
    await studio.refused(400, "POST", None, body)
    stale = (await studio.heads())[PUBLISHED]
    await studio.refused(409, "PUT", V.format(f"branch@draft-branch+version@{stale}+"), BODY)
