"""Moving blocks, and the eight reasons for not moving them, in their order."""

import pytest

from common.keys import CourseKey

OTHER = CourseKey.parse("course-v1:Org+Other+1")
B = "block-v1:Org+Demo+1+type@"
U1 = f"{B}vertical+block@u1"


async def move(studio, source, target, **more):
    body = {"move_source_locator": studio.key(source), "parent_locator": studio.key(target), **more}
    return await studio.ok("PATCH", None, body)


@pytest.mark.parametrize(
    ("source", "target", "index", "reply", "children"),
    [
        ("html@intro", "vertical@u2", None, 0, ("problem@sum", "html@intro")),
        ("video@film", "vertical@u2", None, 1, ("problem@sum", "video@film")),
        ("html@intro", "vertical@u2", 0, 0, ("html@intro", "problem@sum")),
        ("html@intro", "vertical@u2", 1, 1, ("problem@sum", "html@intro")),
        ("html@intro", "vertical@u2", "0", 0, ("html@intro", "problem@sum")),
        ("vertical@u2", "sequential@b", None, 1, ("vertical@u3", "vertical@u2")),
        ("sequential@a", "chapter@two", 0, 0, ("sequential@a", "sequential@b")),
        ("vertical@u2", "vertical@u3", None, 1, ("gizmo@thing", "vertical@u2")),
    ],
)
async def test_a_block_moves_and_the_reply_says_where_it_was(studio, source, target, index, reply, children):
    answer = await move(studio, source, target, **({} if index is None else {"target_index": index}))
    assert answer.json() == {
        "move_source_locator": studio.key(source), "parent_locator": studio.key(target), "source_index": reply,
    }  # fmt: skip
    tree = await studio.tree()
    assert tree.nodes[target].children == children
    assert tree.nodes[source].parent == target
    assert sum(source in node.children for node in tree.nodes.values()) == 1


async def test_what_has_no_draft_state_moves_for_learners_at_once_and_the_rest_when_published(studio):
    await move(studio, "sequential@a", "chapter@two")
    draft, published = await studio.both()
    assert published.nodes["chapter@one"].children == ()
    assert published.nodes["chapter@two"].children == draft.nodes["chapter@two"].children
    assert published.nodes["html@intro"].parent == "vertical@u1"
    await move(studio, "vertical@u1", "sequential@b")
    _, published = await studio.both()
    assert published.nodes["sequential@a"].children == ("vertical@u1", "vertical@u2")
    await studio.put("vertical@u1", publish="make_public")
    _, published = await studio.both()
    assert published.nodes["sequential@a"].children == ("vertical@u2",)
    assert published.nodes["sequential@b"].children == ("vertical@u3", "vertical@u1")


@pytest.fixture
async def deep(studio):
    """A wrapper with a wrapper in a unit, a content experiment, and a block whose parent lost it."""
    wrapper = await studio.create("vertical@u1", "wrapper")
    inner = await studio.create(wrapper, "wrapper")
    experiment = await studio.create("vertical@u1", "split_test")
    lost = await studio.create("vertical@u2", "html")
    await studio.resources.pool.execute(
        "update block set children = array_remove(children, $1) where block_id = 'vertical@u2' and to_version is null",
        lost,
    )
    return {"wrapper": wrapper, "inner": inner, "experiment": experiment, "lost": lost}


ERRORS = [
    # the reason, in the order in which they are looked for; source, target, index
    ("You can not move vertical into chapter.", "vertical@u1", "chapter@one", None),
    ("You can not move html into html.", "html@intro", "html@intro", None),
    ("You can not move sequential into course.", "sequential@a", "course@course", "x"),
    ("You can not move html into sequential.", "html@intro", "sequential@a", None),
    ("You can not move course into vertical.", "course@course", "vertical@u1", None),
    ("You can not move chapter into sequential.", "chapter@one", "sequential@a", None),
    ("Item is already present in target location.", "html@intro", "vertical@u1", "x"),
    ("Item is already present in target location.", "{inner}", "{wrapper}", 99),
    ("You can not move an item into itself.", "{wrapper}", "{wrapper}", None),
    ("You can not move an item into itself.", "vertical@u1", "vertical@u1", "x"),
    ("You can not move an item into it's child.", "{wrapper}", "{inner}", "x"),
    ("You can not move an item into it's child.", "vertical@u1", "{experiment}", None),
    ("You can not move an item directly into content experiment.", "html@intro", "{experiment}", "x"),
    ("You can not move an item directly into content experiment.", "{lost}", "{experiment}", 99),
    (f"{B}html+block@{{lost_id}} not found in {B}vertical+block@u2.", "{lost}", "vertical@u1", "x"),
    (f"{B}about+block@overview not found in {B}course+block@course.", "about@overview", "vertical@u1", None),
    (f"You can not move {B}problem+block@sum at an invalid index (99).", "problem@sum", "vertical@u1", 99),
    (f"You can not move {B}problem+block@sum at an invalid index (5).", "problem@sum", "vertical@u1", "5"),
    (f"You can not move {B}problem+block@sum at an invalid index (-1).", "problem@sum", "vertical@u1", -1),
    ("You must provide target_index (x) as an integer.", "problem@sum", "vertical@u1", "x"),
    ("You must provide target_index (1.5) as an integer.", "problem@sum", "vertical@u1", 1.5),
    ("You must provide target_index ([]) as an integer.", "problem@sum", "vertical@u1", []),
]


async def test_the_eight_reasons_in_their_order(studio, deep):
    names = {**deep, "lost_id": deep["lost"].partition("@")[2]}
    for text, source, target, index in ERRORS:
        body = {
            "move_source_locator": studio.key(source.format(**names)),
            "parent_locator": studio.key(target.format(**names)),
            "target_index": index,
        }
        answer = await studio.refused(400, "PATCH", None, body)
        assert answer.json()["error"] == text.format(**names)


REFUSED = [
    ({}, 400, "Patch request did not recognise any parameters to handle."),
    ({"category": "html", "parent_locator": U1}, 400, "Patch request did not recognise any parameters to handle."),
    ({"move_source_locator": U1}, 400, "parent_locator: This field is required."),
    ({"move_source_locator": f"{B}html+block@nowhere", "parent_locator": U1}, 404,
     f"Can't find item by location: {B}html+block@nowhere"),
    ({"move_source_locator": U1, "parent_locator": f"{B}vertical+block@nowhere"}, 404,
     f"Can't find item by location: {B}vertical+block@nowhere"),
    ({"move_source_locator": "x", "parent_locator": U1}, 404, "Can't find item by location: x"),
    ({"move_source_locator": 7, "parent_locator": U1}, 400, "move_source_locator: "),
]  # fmt: skip


async def test_moves_that_name_nothing_are_refused(studio):
    for body, status, text in REFUSED:
        answer = await studio.refused(status, "PATCH", None, body)
        assert answer.json()["error"].startswith(text)


async def test_a_block_does_not_move_to_another_course(studio, bus, a_draft):
    other = a_draft(OTHER)
    await bus.import_course(other)
    body = {"move_source_locator": f"{B}html+block@intro", "parent_locator": studio.key("vertical@u1", str(OTHER))}
    answer = await studio.refused(400, "PATCH", None, body)
    assert "another course" in answer.json()["error"]


async def test_a_tree_has_an_end(studio):
    parent = "vertical@u1"
    for _ in range(96):
        parent = await studio.create(parent, "wrapper")
    answer = await studio.refused(400, "POST", None, {"parent_locator": studio.key(parent), "category": "html"})
    assert "100 levels deep" in answer.json()["error"]
    body = {"move_source_locator": studio.key("vertical@u3"), "parent_locator": studio.key(parent)}
    assert "100 levels deep" in (await studio.refused(400, "PATCH", None, body)).json()["error"]
