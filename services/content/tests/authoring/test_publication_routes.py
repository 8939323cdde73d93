"""Publish, unpublish, discard by our own API."""

from common.testing.identity import a_caller
from content.versions.models import PUBLISHED

OWN = "/api/content/v1/publications"
DISCARDS = "/api/content/v1/discards"


async def test_a_publication_says_what_learners_do_not_have_yet(studio):
    said = (await studio.ok("GET", "course-v1:Org+Demo+1", prefix=OWN)).json()
    assert said == {
        "block": studio.key("course@course"), "published": True, "has_changes": False, "changed_blocks": [],
    }  # fmt: skip
    unit = await studio.create("sequential@a", "vertical")
    await studio.put("html@intro", metadata={"a": 1})
    said = (await studio.ok("GET", "sequential@a", prefix=OWN)).json()
    assert said["has_changes"] is True
    assert set(said["changed_blocks"]) == {studio.key(b) for b in ("sequential@a", unit, "html@intro")}
    assert (await studio.ok("GET", unit, prefix=OWN)).json()["published"] is False
    await studio.refused(404, "GET", "html@nowhere", prefix=OWN)


async def test_any_subtree_is_published_unpublished_and_its_changes_discarded(studio):
    await studio.put("html@intro", metadata={"a": 1})
    answer = (await studio.ok("POST", "vertical@u1", prefix=OWN)).json()
    draft, published = await studio.both()
    assert answer == {
        "block": studio.key("vertical@u1"), "changed": True, "draft_version": draft.guid,
        "published_version": published.guid,
    }  # fmt: skip
    assert published.nodes["html@intro"].settings == {"a": 1}
    assert (await studio.ok("POST", "Org.Demo.1", prefix=OWN)).json()["changed"] is False
    await studio.ok("DELETE", "chapter@one", prefix=OWN)
    assert "html@intro" not in (await studio.tree(PUBLISHED)).nodes
    await studio.ok("POST", "chapter@one", prefix=OWN)
    draft, published = await studio.both()
    assert draft.nodes.keys() == published.nodes.keys()
    await studio.put("html@intro", metadata={"a": 2})
    await studio.create("vertical@u2", "html")
    assert (await studio.ok("POST", "course-v1:Org+Demo+1", prefix=DISCARDS)).json()["changed"] is True
    draft, published = await studio.both()
    assert draft.nodes["html@intro"].settings == {"a": 1}
    assert draft.nodes.keys() == published.nodes.keys()


async def test_an_idempotency_key_makes_a_repeated_request_harmless(studio):
    await studio.put("html@intro", metadata={"a": 1})
    headers = {"Idempotency-Key": "publish-1"}
    first = await studio.ok("POST", "vertical@u1", prefix=OWN, headers=headers)
    await studio.put("html@intro", metadata={"a": 2})
    again = await studio.ok("POST", "vertical@u1", prefix=OWN, headers=headers)
    assert again.json() == first.json()
    assert (await studio.tree(PUBLISHED)).nodes["html@intro"].settings == {"a": 1}
    await studio.refused(422, "POST", "vertical@u2", prefix=OWN, headers=headers)
    await studio.refused(400, "POST", "vertical@u2", prefix=OWN, headers={"Idempotency-Key": ""})


async def test_refusals_are_problem_documents(studio):
    unit = await studio.create("sequential@a", "vertical")
    inside = await studio.create(unit, "html")
    stale = {"If-Match": '"000000000000000000000000"'}
    cases = [
        (400, "POST", inside, OWN, {}), (404, "POST", "html@nowhere", OWN, {}), (404, "DELETE", unit, OWN, {}),
        (400, "POST", unit, DISCARDS, {}), (400, "DELETE", "course@course", OWN, {}),
        (412, "POST", "vertical@u1", OWN, {"headers": stale}),
        (412, "POST", "vertical@u1", DISCARDS, {"headers": stale}),
        (403, "POST", "vertical@u1", OWN, {"caller": a_caller("stranger")}),
        (401, "POST", "vertical@u1", OWN, {"caller": a_caller(None)}),
        (401, "GET", "vertical@u1", OWN, {"caller": a_caller(None)}),
        (403, "GET", "vertical@u1", OWN, {"caller": a_caller("stranger")}),
    ]  # fmt: skip
    for status, method, place, prefix, options in cases:
        answer = await studio.refused(status, method, place, prefix=prefix, **options)
        assert answer.headers["content-type"] == "application/problem+json"
