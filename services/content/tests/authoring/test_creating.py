"""Creating blocks: Studio's handler."""

import pytest

from common.testing.identity import a_caller
from content.courses.overview import DEFAULT_TABS
from content.versions.models import DRAFT, PUBLISHED

B = "block-v1:Org+Demo+1+type@"
CATEGORIES = ("html", "problem", "video", "discussion", "word_cloud", "gizmo", "vertical")


async def test_a_block_of_any_category_is_its_parents_last_child_and_a_draft(studio):
    made = ["html@intro", "video@film"]
    for category in CATEGORIES:
        made.append(await check_created(studio, category, made))


async def check_created(studio, category, before):
    answer = await studio.ok("POST", None, {"parent_locator": f"{B}vertical+block@u1", "category": category})
    body = answer.json()
    assert set(body) == {"locator", "courseKey", "id"}
    assert body["courseKey"] == "course-v1:Org+Demo+1"
    block_id = studio.local(body["locator"])
    assert body["locator"] == f"{B}{category}+block@{block_id.partition('@')[2]}"
    assert body["id"] == f"i4x://Org/Demo/{category}/{block_id.partition('@')[2]}"
    assert len(block_id.partition("@")[2]) == 32
    draft, published = await studio.both()
    assert draft.nodes["vertical@u1"].children == (*before, block_id)
    assert draft.nodes[block_id].settings == {}
    assert block_id not in published.nodes
    assert answer.headers["etag"] == f'"{draft.guid}"'
    return block_id


@pytest.mark.parametrize(("parent", "category"), [("course@course", "chapter"), ("chapter@one", "sequential")])
async def test_a_block_without_a_draft_state_is_published_at_once(studio, parent, category):
    block_id = await studio.create(parent, category, display_name="New")
    for tree in await studio.both():
        assert tree.nodes[parent].children[-1] == block_id
        assert tree.nodes[block_id].settings == {"display_name": "New"}


async def test_a_new_block_inherits_settings(studio):
    block_id = await studio.create("sequential@a", "vertical")
    assert (await studio.tree()).nodes[block_id].setting("graded") is True


async def test_a_boilerplate_is_ignored(studio):
    block_id = await studio.create("vertical@u1", "html", boilerplate="no_such_thing.yaml")
    assert (await studio.tree()).nodes[block_id].definition is None


@pytest.mark.parametrize(("given", "name"), [({}, "Empty"), ({"display_name": "FAQ"}, "FAQ")])
async def test_a_static_tab_is_in_the_tabs_and_in_nobodys_children(studio, given, name):
    block_id = await studio.create("course@course", "static_tab", **given)
    slug = block_id.partition("@")[2]
    for tree in await studio.both():
        root = tree.nodes["course@course"]
        *usual, tab = root.settings["tabs"]
        assert tab == {"type": "static_tab", "name": name, "url_slug": slug}
        assert usual == DEFAULT_TABS
        assert root.children == ("chapter@one", "chapter@two")
        assert tree.nodes[block_id].settings == {"display_name": name}
        assert tree.nodes[block_id].parent is None


@pytest.mark.parametrize("category", ["about", "course_info"])
async def test_a_detached_block_stands_beside_the_tree_and_is_published(studio, category):
    block_id = await studio.create("course@course", category)
    for tree in await studio.both():
        assert block_id in tree.nodes
        assert block_id not in tree.order


async def test_creating_makes_one_version_of_each_branch_it_changes(studio):
    before = await studio.versions()
    await studio.create("vertical@u1", "html")
    assert await studio.versions() == before + 1
    await studio.create("course@course", "static_tab")
    assert await studio.versions() == before + 3


REFUSED = [
    ({}, 400, "parent_locator: This field is required."),
    ({"parent_locator": f"{B}vertical+block@u1"}, 400, "category: This field is required."),
    ({"parent_locator": f"{B}vertical+block@nowhere", "category": "html"}, 404, "Can't find item by location: "),
    ({"parent_locator": "nonsense", "category": "html"}, 404, "Can't find item by location: nonsense"),
    ({"parent_locator": "block-v1:No+Such+1+type@vertical+block@u1", "category": "html"}, 404, "Can't find item"),
    ({"parent_locator": f"{B}html+block@intro", "category": "html"}, 400, "html has no children"),
    ({"parent_locator": f"{B}vertical+block@u1", "category": "course"}, 400, "Invalid data"),
    ({"parent_locator": f"{B}vertical+block@u1", "category": "$asset"}, 400, "Invalid data"),
    ({"parent_locator": f"{B}vertical+block@u1", "category": "a@b"}, 400, "Invalid data"),
    ({"parent_locator": f"{B}vertical+block@u1", "category": "x" * 1_000_000}, 400, "Invalid data"),
    ({"parent_locator": f"{B}vertical+block@u1", "category": 7}, 400, "category: "),
    ({"parent_locator": ["a"], "category": "html"}, 400, "parent_locator: "),
    (
        {"parent_locator": f"{B}vertical+block@u1", "category": "html", "display_name": "x" * 1_000_000},
        400, "display_name is longer",
    ),
    ({"parent_locator": "x" * 1_000_000, "category": "html"}, 404, "Can't find item by location: xxx"),
]  # fmt: skip


async def test_what_cannot_be_created_is_refused_and_writes_nothing(studio):
    for body, status, text in REFUSED:
        answer = await studio.refused(status, "POST", None, body)
        assert text in answer.json()["error"]
        assert len(answer.content) < 3000


async def test_the_clipboard_is_always_empty(studio):
    body = {"parent_locator": f"{B}vertical+block@u1", "staged_content": "clipboard"}
    answer = await studio.refused(400, "POST", None, body)
    assert answer.json()["error"] == "Your clipboard is empty or invalid."
    await studio.create("vertical@u1", "html", staged_content="elsewhere")  # no other is known: nothing was said


async def test_a_library_takes_html_problems_and_videos_up_to_its_limit(studio, a_library):
    root = await a_library()
    for category in ("html", "problem", "video"):
        answer = await studio.ok("POST", None, {"parent_locator": root, "category": category})
        assert answer.json()["locator"].startswith(f"lib-block-v1:Org+Lib+type@{category}+block@")
        assert answer.json()["courseKey"] == "library-v1:Org+Lib"
        assert "id" not in answer.json()
    answer = await studio.refused(400, "POST", None, {"parent_locator": root, "category": "vertical"})
    assert answer.text == "Category 'vertical' not supported for Libraries"
    assert answer.headers["content-type"].startswith("text/plain")
    await a_library(children=1000)
    answer = await studio.refused(400, "POST", None, {"parent_locator": root, "category": "html"})
    assert answer.json()["error"] == "Libraries cannot have more than 1000 components"


async def test_without_a_key_there_is_only_creation(studio):
    for method in ("GET", "DELETE"):
        for path in ("/xblock", "/xblock/", "/item"):
            answer = await studio.client.request(method, path, studio.author)
            assert answer.status_code == 400
            assert answer.text == "Only instance creation is supported without a usage key."
            assert answer.headers["content-type"].startswith("text/plain")


CALLERS = [
    (a_caller(None), 401), (a_caller("learner"), 403), (a_caller("robot", active=False), 403),
    (a_caller("robot"), 200), (a_caller("admin", staff=True), 200),
    (a_caller("orgs", org_roles=(("Org", "staff"),)), 200),
    (a_caller("orgs", org_roles=(("Org", "instructor"),)), 200),
    (a_caller("orgs", org_roles=(("Other", "instructor"),)), 403),
    (a_caller("maker", grants=("Org",)), 403),
]  # fmt: skip


async def test_the_team_writes_and_nobody_else(studio, bus):
    await bus.enroll(a_caller("learner"))
    requests = [
        ("POST", None, {"parent_locator": f"{B}vertical+block@u1", "category": "html"}),
        ("PUT", "html@intro", {"metadata": {"display_name": "x"}}),
        ("POST", None, {"parent_locator": f"{B}vertical+block@u1", "duplicate_source_locator": f"{B}html+block@intro"}),
        ("PATCH", None, {"move_source_locator": f"{B}html+block@intro", "parent_locator": f"{B}vertical+block@u2"}),
        ("PATCH", None, {"move_source_locator": f"{B}html+block@intro", "parent_locator": f"{B}vertical+block@u1"}),
    ]
    for caller, status in CALLERS:
        for method, block_id, body in [*requests, ("DELETE", "html@nowhere", None)]:
            if method == "DELETE":
                await studio.refused(404 if status == 200 else status, method, block_id, body, caller=caller)
            elif status == 200:
                await studio.ok(method, block_id, body, caller=caller)
            else:
                answer = await studio.refused(status, method, block_id, body, caller=caller)
                assert answer.json()["error"]


async def test_our_own_path_answers_201_with_the_place_and_repeats_an_answer_for_its_key(studio):
    body = {"parent_locator": f"{B}vertical+block@u1", "category": "html"}
    options = {"prefix": "/api/content/v1/xblock", "headers": {"Idempotency-Key": "one"}}
    first = await studio.ok("POST", None, body, **options)
    assert first.status_code == 201
    assert first.headers["location"].endswith(f"/api/content/v1/xblock/{first.json()['locator']}")
    versions = await studio.versions()
    again = await studio.ok("POST", None, body, **options)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await studio.versions() == versions
    other = await studio.refused(422, "POST", None, {**body, "category": "video"}, **options)
    assert other.headers["content-type"] == "application/problem+json"


async def test_the_course_is_announced_when_learners_are_concerned_and_only_then(studio, bus):
    before = len(await bus.announced("content.course.published.v1"))
    await studio.create("vertical@u1", "html")
    assert len(await bus.announced("content.course.published.v1")) == before
    await studio.create("course@course", "chapter")
    announced = await bus.announced("content.course.published.v1")
    assert len(announced) == before + 1
    assert announced[-1]["guid"] == (await studio.heads())[PUBLISHED]
    assert announced[-1]["draft_guid"] == (await studio.heads())[DRAFT]
