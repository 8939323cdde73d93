"""Changing a block: the ten steps of Studio's handler, in their order, in one version."""

import pytest

from content.versions.models import PUBLISHED

B = "block-v1:Org+Demo+1+type@"
CONCURRENT = "Invalid data, possibly caused by concurrent authors."


async def settings(studio, block_id, branch="draft"):
    return (await studio.tree(branch)).nodes[block_id].settings


async def data(studio, block_id):
    return (await studio.ok("GET", block_id)).json()["data"]


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
async def test_data_and_metadata_are_set_and_the_reply_is_id_data_metadata(studio, method):
    answer = await studio.ok(method, "html@intro", {"data": "<p>New</p>", "metadata": {"display_name": "Intro"}})
    assert answer.json() == {
        "id": f"{B}html+block@intro", "data": "<p>New</p>", "metadata": {"display_name": "Intro"},
    }  # fmt: skip
    assert await data(studio, "html@intro") == "<p>New</p>"
    assert answer.headers["etag"] == f'"{(await studio.heads())["draft"]}"'


async def test_everything_is_in_one_version(studio):
    before = await studio.versions()
    await studio.put(
        "sequential@a", metadata={"due": "2026-05-05T00:00:00Z"}, fields={"knob": 1}, graderType="Lab",
        children=[f"{B}vertical+block@u2", f"{B}vertical+block@u1"],
    )  # fmt: skip
    assert await studio.versions() == before + 2  # one of the draft, one of the published branch: it is a sequential
    await studio.put("vertical@u1", metadata={"a": 1}, children=[f"{B}video+block@film", f"{B}html+block@intro"])
    assert await studio.versions() == before + 3


async def test_a_change_that_changes_nothing_makes_no_version(studio):
    before = await studio.state()
    for body in ({}, {"metadata": {"display_name": "Film"}}, {"metadata": {"nothing": None}}, {"data": ""},
                 {"children": []}, {"publish": "republish"}, {"publish": "make_public"}):  # fmt: skip
        await studio.put("video@film", **body)
    assert await studio.state() == before


async def test_what_was_read_can_be_sent_back_without_a_new_version(studio):
    stored = '<img src="/static/pics/a b.png"> <a href="/jump_to_id/film">film</a>'
    await studio.put("html@intro", data=stored)
    before, shown = await studio.state(), await data(studio, "html@intro")
    assert "/asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png" in shown
    await studio.put("html@intro", data=shown)
    assert await studio.state() == before
    await studio.put("html@intro", data=shown + '<img src="/asset-v1:Org+Demo+1+type@asset+block@new.png">')
    item = (await studio.ok("GET", "html@intro")).json()
    assert item["fields"]["data"] == stored + '<img src="/static/new.png">'


async def test_1_discard_changes_ignores_every_other_field(studio):
    await studio.put("vertical@u1", metadata={"display_name": "Draft"})
    answer = await studio.put("vertical@u1", publish="discard_changes", data="x", metadata={"display_name": "Other"})
    assert answer.json() == {"id": f"{B}vertical+block@u1"}
    assert await settings(studio, "vertical@u1") == {"display_name": "Unit 1"}


async def test_1_discarding_what_was_never_published_is_refused(studio):
    block_id = await studio.create("sequential@a", "vertical")
    answer = await studio.refused(400, "PUT", block_id, {"publish": "discard_changes"})
    assert "never been published" in answer.json()["error"]


# Each row: what is sent, and what stands afterwards; every later step wins over the ones before.
ORDER = [
    ("2 data", {"data": "two"}, "two", {}),
    ("2 empty data is no data", {"data": ""}, None, {}),
    ("3 fields win over data", {"data": "two", "fields": {"data": "three"}}, "three", {}),
    ("3 fields are assigned raw", {"fields": {"weight": "heavy", "display_name": None}}, None,
     {"weight": "heavy", "display_name": None}),
    ("5 nullout sets null explicitly", {"nullout": ["start", "knob"]}, None, {"start": None, "knob": None}),
    ("5 nullout wins over fields", {"fields": {"knob": 1}, "nullout": ["knob"]}, None, {"knob": None}),
    ("6 metadata wins over fields and nullout",
     {"fields": {"knob": 1}, "nullout": ["knob", "start"], "metadata": {"knob": 2}}, None, {"knob": 2, "start": None}),
    ("6 null in metadata takes the value away", {"fields": {"knob": 1}, "metadata": {"knob": None}}, None, {}),
    ("6 null in metadata takes away what nullout set", {"nullout": ["knob"], "metadata": {"knob": None}}, None, {}),
    ("6 metadata is parsed", {"metadata": {"start": "Jan 31, 2026", "graded": "true", "weight": "1.5", "max_attempts":
     "3"}}, None, {"start": "2026-01-31T00:00:00Z", "graded": True, "weight": 1.5, "max_attempts": 3}),
    ("7 a due date before 1900 is null", {"metadata": {"due": "1899-12-31T23:59:59Z"}}, None, {"due": None}),
    ("7 also one set raw", {"fields": {"due": "0001-01-01T00:00:00Z"}}, None, {"due": None}),
    ("9 a grader type wins over metadata", {"metadata": {"format": "Lab", "graded": False}, "graderType": "Exam"}, None,
     {"format": "Exam", "graded": True}),
    ("9 notgraded clears both", {"metadata": {"format": "Lab", "graded": True}, "graderType": "notgraded"}, None, {}),
]  # fmt: skip


async def test_later_steps_win_over_earlier_ones(studio):
    for name, body, text, expected in ORDER:
        block_id = await studio.create("vertical@u1", "html")
        answer = await studio.put(block_id, **body)
        assert (answer.json()["data"], answer.json()["metadata"]) == (text, expected), name
        assert await settings(studio, block_id) == expected, name


async def test_metadata_is_merged_into_what_is_there(studio):
    await studio.put("problem@sum", metadata={"max_attempts": 2, "weight": None})
    assert await settings(studio, "problem@sum") == {"display_name": "Sum", "markdown": "(x) two", "max_attempts": 2}


async def test_taking_an_explicit_value_away_brings_the_inherited_one_back(studio):
    await studio.put("vertical@u1", metadata={"graded": False})
    assert (await studio.ok("GET", "vertical@u1")).json()["graded"] is False
    await studio.put("vertical@u1", metadata={"graded": None})
    assert (await studio.ok("GET", "vertical@u1")).json()["graded"] is True
    await studio.put("sequential@a", nullout=["graded"])
    assert (await studio.ok("GET", "vertical@u1")).json()["graded"] is False


async def test_4_new_children_are_taken_from_their_old_parents(studio):
    await studio.put("vertical@u1", children=[f"{B}problem+block@sum", f"{B}video+block@film", f"{B}html+block@intro"])
    tree = await studio.tree()
    assert tree.nodes["vertical@u1"].children == ("problem@sum", "video@film", "html@intro")
    assert tree.nodes["vertical@u2"].children == ()
    assert tree.nodes["problem@sum"].parent == "vertical@u1"
    await studio.put("chapter@one", children=[f"{B}sequential+block@a", f"{B}sequential+block@b"])
    for tree in await studio.both():
        assert tree.nodes["chapter@one"].children == ("sequential@a", "sequential@b")
        assert tree.nodes["chapter@two"].children == ()


LOST = [
    ("vertical@u1", ["html@intro"], CONCURRENT),
    ("vertical@u1", [], CONCURRENT),
    ("vertical@u1", ["html@intro", "video@film", "html@nowhere"], CONCURRENT),
    ("vertical@u1", ["html@intro", "video@film", "about@overview"], CONCURRENT),
    ("vertical@u1", ["html@intro", "video@film", "course@course"], CONCURRENT),
    ("vertical@u1", ["html@intro", "video@film", "vertical@u1"], "below itself"),
    ("vertical@u1", ["html@intro", "video@film", "sequential@a"], "below itself"),
    ("vertical@u1", ["html@intro", "video@film", "chapter@one"], "below itself"),
    ("vertical@u1", ["html@intro", "video@film", "video@film"], "listed twice"),
]


async def test_4_orphans_and_lost_children_are_refused_and_nothing_is_saved(studio):
    for block, children, text in LOST:
        body = {"children": [studio.key(child) for child in children], "metadata": {"display_name": "X"}, "data": "y"}
        answer = await studio.refused(400, "PUT", block, body)
        assert text in answer.json()["error"]


async def test_4_what_nothing_leads_to_is_an_orphan_whatever_parent_it_names(studio):
    await studio.resources.pool.execute(
        "update block set children = '{}' where block_id = 'vertical@u2' and to_version is null"
    )
    children = [studio.key(child) for child in ("html@intro", "video@film", "problem@sum")]
    answer = await studio.refused(400, "PUT", "vertical@u1", {"children": children})
    assert answer.json()["error"] == CONCURRENT


async def test_4_children_of_other_courses_and_keys_that_are_none_are_refused(studio):
    other = "block-v1:Org+Other+1+type@html+block@x"
    answer = await studio.refused(400, "PUT", "vertical@u1", {"children": [other]})
    assert answer.json()["error"] == CONCURRENT
    answer = await studio.refused(400, "PUT", "vertical@u1", {"children": ["html@intro", "x" * 1_000_000]})
    assert answer.json()["error"].startswith("Invalid data (")
    assert len(answer.content) < 1000


async def test_8_a_static_tabs_name_is_its_tabs_name(studio):
    block_id = await studio.create("course@course", "static_tab", display_name="Old")
    await studio.put(block_id, metadata={"display_name": "New"})
    for tree in await studio.both():
        assert tree.nodes["course@course"].settings["tabs"][-1]["name"] == "New"


async def test_9_a_grader_type_is_in_the_reply(studio):
    answer = (await studio.put("sequential@b", graderType="Homework")).json()
    assert (answer["graderType"], answer["location"]) == ("Homework", f"{B}sequential+block@b")
    assert await settings(studio, "sequential@b", PUBLISHED) == {
        "display_name": "B", "graded": True, "format": "Homework",
    }  # fmt: skip
    assert (await studio.put("sequential@b", graderType="notgraded")).json()["graderType"] == "notgraded"
    assert await settings(studio, "sequential@b") == {"display_name": "B"}


async def test_9_prerequisites_exams_and_proctoring_are_plain_fields(studio):
    said = {
        "isPrereq": True, "prereqUsageKey": f"{B}sequential+block@b", "prereqMinScore": 80, "prereqMinCompletion": 50,
        "metadata": {"is_time_limited": True, "default_time_limit_minutes": 90, "is_proctored_enabled": True,
                     "exam_review_rules": "no books", "is_practice_exam": False},
    }  # fmt: skip
    answer = (await studio.put("sequential@a", **said)).json()
    assert answer["is_prereq"] is True
    info = (await studio.ok("GET", "sequential@a")).json()
    assert {name: info[name] for name in ("is_prereq", "prereq", "prereq_min_score", "prereq_min_completion")} == {
        "is_prereq": True, "prereq": f"{B}sequential+block@b", "prereq_min_score": 80, "prereq_min_completion": 50,
    }  # fmt: skip
    assert info["is_time_limited"] is True
    assert info["default_time_limit_minutes"] == 90
    assert info["is_proctored_exam"] is True
    assert (await studio.put("sequential@a", prereqUsageKey="")).json()["metadata"].get("prereq") is None
    for wrong in ({"prereqMinScore": 101}, {"prereqMinCompletion": -1}, {"prereqMinScore": "much"}, {"isPrereq": "x"}):
        await studio.refused(400, "PUT", "sequential@a", wrong)


async def test_10_make_public_publishes_the_subtree(studio):
    block_id = await studio.create("vertical@u1", "html")
    await studio.put("vertical@u1", publish="make_public", metadata={"display_name": "Ready"})
    draft, published = await studio.both()
    assert published.nodes["vertical@u1"].settings == {"display_name": "Ready"}
    assert published.nodes[block_id] is not None
    assert published.nodes.keys() == draft.nodes.keys()


async def test_10_republish_publishes_only_what_was_published_and_has_a_draft_state(studio):
    unit = await studio.create("sequential@a", "vertical")
    await studio.put(unit, publish="republish", metadata={"display_name": "New"})
    assert unit not in (await studio.tree(PUBLISHED)).nodes
    await studio.put("vertical@u1", publish="republish", metadata={"display_name": "Again"})
    assert await settings(studio, "vertical@u1", PUBLISHED) == {"display_name": "Again"}
    await studio.put("html@intro", metadata={"display_name": "Draft"})
    await studio.put("sequential@a", publish="republish", metadata={"display_name": "Seq"})
    assert await settings(studio, "sequential@a", PUBLISHED) == {
        "display_name": "Seq", "graded": True, "format": "Homework",
    }  # fmt: skip
    assert await settings(studio, "html@intro", PUBLISHED) == {}


async def test_10_a_block_of_an_unpublished_unit_is_not_published_alone(studio):
    unit = await studio.create("sequential@a", "vertical")
    block_id = await studio.create(unit, "html")
    answer = await studio.refused(400, "PUT", block_id, {"publish": "make_public", "data": "x"})
    assert "publish that first" in answer.json()["error"]


WRONG = [
    {"data": 7}, {"data": {"a": 1}}, {"metadata": []}, {"metadata": "x"}, {"fields": [1]}, {"children": "x"},
    {"children": [1]}, {"nullout": "start"}, {"nullout": [None]}, {"graderType": 1}, {"publish": "make_private"},
    {"publish": True}, {"metadata": {"start": "yesterday"}}, {"metadata": {"due": 7}},
    {"metadata": {"graded": "maybe"}}, {"metadata": {"max_attempts": 1.5}}, {"metadata": {"max_attempts": True}},
    {"metadata": {"max_attempts": 10**30}}, {"metadata": {"weight": "heavy"}}, {"metadata": {"weight": 10**30}},
    {"metadata": {"display_name": 7}}, {"metadata": {"display_name": "x" * 1_000_000}},
    {"metadata": {"x" * 1_000_000: 1}}, {"metadata": {"": 1}}, {"fields": {"x" * 1_000: 1}}, {"fields": {"": 1}},
    {"metadata": {"group_access": []}}, {"metadata": {"user_partitions": {}}}, {"fields": {"children": []}},
    {"metadata": {"parent": "x"}},
]  # fmt: skip


async def test_wrong_types_are_refused_and_nothing_is_saved(studio):
    for body in WRONG:
        answer = await studio.refused(400, "PUT", "html@intro", body)
        assert isinstance(answer.json()["error"], str)
        assert len(answer.content) < 3000


async def test_metadata_that_cannot_be_parsed_says_why(studio):
    answer = await studio.refused(400, "PUT", "html@intro", {"metadata": {"start": "yesterday"}})
    assert answer.json()["error"] == "Invalid data (start is not a date)"


BODIES = [
    (b"not json", 400), (b"[]", 400), (b'"x"', 400), (b'{"data": "a\\u0000b"}', 400), (b'{"data": "\\ud800"}', 400),
    (b'{"metadata": {"a": NaN}}', 400), (b'{"metadata": {"a": 1e999}}', 400),
    (b'{"metadata": {"a": 123456789012345678901234567890}}', 400), (b"\xff\xfe", 400),
    (b'{"metadata": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}", 400),
    (b'{"metadata": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", 400),
    (b'{"data": "' + b"x" * 10_000_000 + b'"}', 413),
    (b'{"data": "a text about \\\\u0000"}', 200), (b"", 200),
]  # fmt: skip


async def test_bodies_that_cannot_be_stored_are_refused(studio):
    for content, status in BODIES:
        if status == 200:
            await studio.ok("PUT", "html@intro", content=content)
        else:
            answer = await studio.refused(status, "PUT", "html@intro", content=content)
            assert isinstance(answer.json()["error"], str)


async def test_a_megabyte_of_content_is_content(studio):
    text = "ü" * 1_000_000
    await studio.put("html@intro", data=text)
    assert await data(studio, "html@intro") == text


async def test_numbers_are_stored_so_that_the_same_again_is_no_change(studio):
    for value in (2**62, 1e17, -0.0, 1e-300, 1.0, 10**18):
        await studio.put("html@intro", metadata={"n": value})
        state = await studio.state()
        await studio.put("html@intro", metadata={"n": value})
        assert await studio.state() == state
        assert (await studio.ok("GET", "html@intro")).json()["metadata"]["n"] == value
