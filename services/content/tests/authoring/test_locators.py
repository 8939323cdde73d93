"""The addresses of the design of 2013 and all keys: reading and writing one block by each of them."""

import pytest

from content.versions.models import DRAFT, PUBLISHED

B = "block-v1:Org+Demo+1+type@html+block@intro"
PLACES = [
    B,
    f"edx://{B}",
    B.replace("+", "%2B"),
    f"{B}/",
    "block-v1:Org+Demo+1+branch@draft-branch+type@html+block@intro",
    "block-v1:Org+Demo+1+branch@draft+type@html+block@intro",
    "i4x://Org/Demo/html/intro",
    "i4x:/Org/Demo/html/intro",
    "Org.Demo.1/branch/draft/block/intro",
    "org.demo.1/block/intro",
    "ORG.Demo.1/branch/draft-branch/block/intro",
    "edx://Org.Demo.1/branch/draft/block/intro",
    "edx:/Org.Demo.1/branch/draft/block/intro",
    "EDX://Org.Demo.1/BRANCH/draft/Block/intro",
    "Org/Demo/1/block/intro",
    "Org/Demo/1/branch/draft/block/intro",
    "course-v1:Org+Demo+1/block/intro",
    "course-v1:Org+Demo+1+branch@draft-branch/block/intro",
    "edx://course-v1:Org+Demo+1/branch/draft/block/intro",
]
VERSIONED = [
    "block-v1:Org+Demo+1+branch@draft-branch+version@{guid}+type@html+block@intro",
    "block-v1:Org+Demo+1+version@{guid}+type@html+block@intro",
    "Org.Demo.1/branch/draft/version/{guid}/block/intro",
    "edx://Org.Demo.1/version/{guid}/block/intro",
    "course-v1:Org+Demo+1/version/{guid}/block/intro",
]
VERSION_ONLY = [
    "version/{guid}/block/intro",
    "edx://version/{guid}/block/intro",
    "block-v1:version@{guid}+type@html+block@intro",
]


@pytest.mark.parametrize("prefix", ["/xblock", "/item", "/api/content/v1/xblock", "/api/content/v1/item"])
async def test_one_block_is_read_and_written_by_every_address(studio, prefix):
    for number, place in enumerate([*PLACES, *VERSIONED]):
        before = (await studio.heads())[DRAFT]
        place = place.format(guid=before)
        written = await studio.ok("PUT", place, {"metadata": {"n": number}}, prefix=prefix)
        assert written.json()["id"] == B, place
        guid = (await studio.heads())[DRAFT]
        read = await studio.ok("GET", place.replace(before, guid), prefix=prefix)
        assert (read.json()["id"], read.json()["metadata"]) == (B, {"n": number}), place


async def test_every_version_is_read_for_ever_by_its_guid(studio):
    guids = [(await studio.heads())[DRAFT]]
    for number in range(4):
        await studio.put("html@intro", metadata={"n": number})
        guids.append((await studio.heads())[DRAFT])
    for number, guid in enumerate(guids):
        for place in [*VERSIONED, *VERSION_ONLY]:
            read = await studio.ok("GET", place.format(guid=guid))
            assert read.json()["metadata"] == ({} if number == 0 else {"n": number - 1})
            assert read.json()["version"] == guid


async def test_an_item_is_created_at_the_address_of_its_course(studio):
    places = ["Org.Demo.1", "Org.Demo.1/branch/draft", "course-v1:Org+Demo+1", "Org/Demo/1", "edx://Org.Demo.1"]
    for prefix in ("/xblock", "/item"):
        for place in places:
            for parent in ("u1", studio.key("vertical@u1")):
                body = {"parent_locator": parent, "category": "html"}
                answer = await studio.ok("POST", place, body, prefix=prefix)
                block_id = studio.local(answer.json()["locator"])
                assert answer.json()["id"] == f"i4x://Org/Demo/html/{block_id.partition('@')[2]}"
                assert (await studio.tree()).nodes["vertical@u1"].children[-1] == block_id
    answer = await studio.ok("POST", "Org.Demo.1", {"category": "chapter"})
    assert (await studio.tree(PUBLISHED)).nodes["course@course"].children[-1] == studio.local(answer.json()["locator"])


async def test_full_crud_by_the_addresses_of_2013(studio):
    course = "Org.Demo.1/branch/draft"
    made = await studio.ok("POST", course, {"parent_locator": "u1", "category": "html", "display_name": "New"})
    name = studio.local(made.json()["locator"]).partition("@")[2]
    place = f"{course}/block/{name}"
    assert (await studio.ok("GET", place)).json()["metadata"] == {"display_name": "New"}
    assert (await studio.ok("PUT", place, {"data": "<p>x</p>"})).json()["data"] == "<p>x</p>"
    assert (await studio.ok("PATCH", place, {"metadata": {"a": 1}})).json()["metadata"] == {
        "a": 1, "display_name": "New",
    }  # fmt: skip
    assert (await studio.ok("DELETE", place)).status_code == 204
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        assert (await studio.send(method, place, body)).status_code == 404


async def test_a_name_that_two_types_share_must_say_its_type_when_written(studio):
    await studio.ok("GET", "Org.Demo.1/block/intro")
    await studio.resources.pool.execute(
        "update block set block_id = 'video@intro' where block_id = 'video@film' and to_version is null"
    )
    answer = await studio.refused(409, "PUT", "Org.Demo.1/branch/draft/block/intro", {"metadata": {"a": 1}})
    assert answer.json()["error_code"] == "block_name_ambiguous"
    await studio.put("html@intro", metadata={"a": 1})


@pytest.mark.parametrize("prefix", ["/xblock", "/item", "/api/content/v1/xblock", "/api/contentstore/v0/xblock"])
async def test_addresses_that_lead_nowhere_are_404_in_the_shape_of_their_family(studio, prefix):
    places = [
        "nonsense", "a/b", "course-v1:No+Such+1/block/x", "No.Such.1/block/x", "Org/Demo/2/block/intro",
        "block-v1:Org+Demo+1+type@html+block@nowhere", "Org.Demo.1/block/nowhere",
        "Org.Demo.1/branch/other/block/intro",
        "version/" + "0" * 24 + "/block/intro", "version/" + "0" * 32 + "/block/intro", "version/xyz/block/intro",
        "i4x://No/Such/html/intro", "block-v1:Org+Demo+1+type@html", "block-v1:+type@html+block@x", "x" * 5000,
        "course-v1:Org+Demo+1/block/" + "y" * 900, "%00", "block-v1:Org+Demo+1+type@html+block@a%00b",
        "block-v1:Org+Demo+1+type@html+block@%F0%9F%A6%86", "..%2F..%2Fetc%2Fpasswd",
    ]  # fmt: skip
    for place in places:
        for method, body in (("GET", None), ("PUT", {"metadata": {"a": 1}}), ("DELETE", None)):
            answer = await studio.send(method, place, body, prefix=prefix)
            assert answer.status_code == 404, (place, method, answer.text)
            said = answer.json()
            key = {"/api/content/v1": "detail", "/api/contentstore": "developer_message"}.get(
                prefix.rpartition("/")[0].removesuffix("/v0"), "error"
            )
            assert isinstance(said[key], str), (place, method, said)
            assert len(answer.content) < 3000
