"""The blocks API over HTTP: who may ask, and what each parameter does."""

import asyncio

import pytest

from common.testing.identity import a_caller

KEY = "course-v1:Org+Demo+1"
B = "block-v1:Org+Demo+1+type@"
ADMIN = a_caller("admin", staff=True)
LEARNER = a_caller("learner")
STRANGER = a_caller("stranger")
TEACHER = a_caller("robot")
NOBODY = a_caller(None)


def url(*, version: str = "v1", course: str = KEY, **query: object) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in {"course_id": course.replace("+", "%2B"), **query}.items())
    return f"/api/courses/{version}/blocks/?{pairs}"


@pytest.fixture
async def enrolled(bus, demo):
    await bus.account(LEARNER, STRANGER, TEACHER, ADMIN)
    await bus.enroll(LEARNER)
    return demo


@pytest.mark.parametrize(
    ("caller", "query", "status", "message"),
    [
        (NOBODY, {"all_blocks": "true"}, 403,
         f"Anonymous users do not have permission to access all blocks in '{KEY}'."),
        (NOBODY, {"username": "learner"}, 403, "Anonymous users cannot access another user's blocks."),
        (NOBODY, {"username": ""}, 403, f"Course blocks for '{KEY}' cannot be accessed anonymously."),
        (LEARNER, {"all_blocks": "true"}, 403,
         f"'learner' does not have permission to access all blocks in '{KEY}'."),
        (LEARNER, {"username": "learner"}, 200, None),
        (LEARNER, {"username": "LEARNER"}, 200, None),
        (LEARNER, {"username": ""}, 403, "'learner' does not have permission to access view for ''."),
        (LEARNER, {"username": "stranger"}, 403, "'learner' does not have permission to access view for 'stranger'."),
        (STRANGER, {"username": "stranger"}, 403, "Course blocks for 'stranger' cannot be accessed."),
        (STRANGER, {"username": "stranger", "course": "course-v1:No+Such+1"}, 403,
         "Course blocks for 'stranger' cannot be accessed."),
        (TEACHER, {"all_blocks": "true"}, 200, None),
        (TEACHER, {"username": "robot"}, 200, None),
        (TEACHER, {"username": "learner"}, 200, None),
        (TEACHER, {"username": ""}, 200, None),
        (TEACHER, {"username": "ghost"}, 404, "Requested user 'ghost' does not exist."),
        (ADMIN, {"all_blocks": "1"}, 200, None),
        (ADMIN, {"username": "admin", "course": "course-v1:No+Such+1"}, 404,
         "Block not found: block-v1:No+Such+1+type@course+block@course"),
        (ADMIN, {"username": "admin", "course": KEY.replace("+", " ")}, 200, None),
        (ADMIN, {"username": "admin", "course": "nonsense"}, 400, "'nonsense' is not a valid course key."),
        (ADMIN, {"username": "admin", "course": ""}, 400, "course_id is required."),
    ],
)  # fmt: skip
async def test_the_questions_are_asked_in_upstreams_order(client, enrolled, caller, query, status, message):
    for version in ("v1", "v2"):
        answer = await client.get(url(version=version, **query), caller)
        assert answer.status_code == status, answer.text
        assert answer.json().get("developer_message") == message
        assert "cache-control" not in answer.headers


async def test_a_missing_username_is_a_field_error(client, enrolled):
    answer = await client.get(url(depth="x"), LEARNER)
    assert answer.status_code == 400
    assert answer.json()["field_errors"] == {
        "username": {"developer_message": "This field is required unless all_blocks is requested."},
        "depth": {"developer_message": "'x' is not a valid depth value."},
    }


async def test_a_refusal_comes_before_a_wrong_parameter(client, enrolled):
    assert (await client.get(url(username="stranger", depth="x"), STRANGER)).status_code == 403
    answer = await client.get(url(username="learner", depth="x"), LEARNER)
    assert answer.json() == {"field_errors": {"depth": {"developer_message": "'x' is not a valid depth value."}}}


async def test_a_public_course_is_open_to_anybody(client, bus, demo, a_draft):
    await bus.import_course(a_draft(course_visibility="public"))
    answer = await client.get(url(username="", depth="all"), NOBODY)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "max-age=300"
    assert len(answer.json()["blocks"]) == 12
    assert (await client.get(url(username="stranger"), STRANGER)).status_code == 200
    assert (await client.get(url(username=""), STRANGER)).headers["cache-control"] == "max-age=300"


async def test_an_enrollment_on_its_way_is_waited_for(patient_client, bus, demo):
    late = a_caller("late")

    async def enroll_soon() -> None:
        await asyncio.sleep(0.15)
        await bus.enroll(late)

    answers = await asyncio.gather(patient_client.get(url(username="late"), late), enroll_soon())
    assert answers[0].status_code == 200


async def test_an_account_on_its_way_is_waited_for(patient_client, bus, demo):
    async def announce_soon() -> None:
        await asyncio.sleep(0.15)
        await bus.account(a_caller("late"))

    answers = await asyncio.gather(patient_client.get(url(username="late"), ADMIN), announce_soon())
    assert answers[0].status_code == 200


async def test_unenrolled_means_out(client, bus, enrolled):
    await bus.enroll(LEARNER, is_active=False)
    assert (await client.get(url(username="learner"), LEARNER)).status_code == 403


async def test_children_come_before_parents_and_the_root_last(client, enrolled):
    answer = (await client.get(url(all_blocks="true", depth="all", requested_fields="children"), TEACHER)).json()
    assert answer["root"] == f"{B}course+block@course"
    order = list(answer["blocks"])
    assert len(order) == 12
    assert order[-1] == answer["root"]
    for place, key in enumerate(order):
        assert all(child in order[:place] for child in answer["blocks"][key].get("children", []))
    assert answer["blocks"][answer["root"]]["children"] == [f"{B}chapter+block@one", f"{B}chapter+block@two"]
    assert "children" not in answer["blocks"][f"{B}html+block@intro"]
    listed = (await client.get(url(all_blocks="true", depth="all", return_type="list"), TEACHER)).json()
    assert [block["id"] for block in listed] == order


async def test_a_block_says_what_was_asked(client, enrolled):
    asked = (
        "graded,format,start,due,weight,has_score,show_correctness,student_view_multi_device,visible_to_staff_only,no"
    )
    answer = (await client.get(url(all_blocks="true", depth="all", requested_fields=asked), TEACHER)).json()
    assert answer["blocks"][f"{B}problem+block@sum"] == {
        "id": f"{B}problem+block@sum",
        "block_id": "sum",
        "type": "problem",
        "display_name": "Sum",
        "lms_web_url": f"https://lectern.example/xblock/{B}problem+block@sum",
        "student_view_url": f"https://lectern.example/xblock/{B}problem+block@sum",
        "graded": True,
        "start": "2020-01-01T00:00:00Z",
        "weight": 2,
        "has_score": True,
        "show_correctness": "always",
        "student_view_multi_device": True,
        "visible_to_staff_only": False,
    }
    assert answer["blocks"][f"{B}sequential+block@a"]["format"] == "Homework"
    assert answer["blocks"][f"{B}html+block@intro"]["display_name"] == ""


async def test_depth_cuts_and_counts_count_what_is_cut(client, enrolled):
    asked = url(all_blocks="true", depth=1, requested_fields="children", block_counts="html,problem,poll")
    answer = (await client.get(asked, TEACHER)).json()
    assert len(answer["blocks"]) == 3
    assert answer["blocks"][answer["root"]]["block_counts"] == {"html": 1, "problem": 1, "poll": 0}
    assert answer["blocks"][f"{B}chapter+block@two"]["block_counts"] == {"html": 0, "problem": 0, "poll": 0}
    assert "children" not in answer["blocks"][f"{B}chapter+block@one"]
    root = (await client.get(url(all_blocks="true", requested_fields="children"), TEACHER)).json()
    assert list(root["blocks"]) == [root["root"]]
    assert "children" not in root["blocks"][root["root"]]


async def test_navigation_lists_children_above_its_depth_and_everything_at_it(client, enrolled):
    answer = (await client.get(url(all_blocks="true", depth="all", nav_depth=2), TEACHER)).json()["blocks"]
    assert answer[f"{B}chapter+block@one"]["descendants"] == [f"{B}sequential+block@a"]
    assert answer[f"{B}sequential+block@a"]["descendants"] == [
        f"{B}vertical+block@u1", f"{B}html+block@intro", f"{B}video+block@film", f"{B}vertical+block@u2",
        f"{B}problem+block@sum",
    ]  # fmt: skip
    assert "descendants" not in answer[f"{B}vertical+block@u1"]
    flat = (await client.get(url(all_blocks="true", depth="all", nav_depth=0), TEACHER)).json()["blocks"]
    assert [key for key, block in flat.items() if "descendants" in block] == [f"{B}course+block@course"]


async def test_a_leaf_above_the_depth_of_navigation_has_no_descendants(client, enrolled):
    blocks = (await client.get(url(all_blocks="true", depth="all", nav_depth=9), TEACHER)).json()["blocks"]
    assert blocks[f"{B}html+block@intro"]["descendants"] == []
    assert blocks[f"{B}vertical+block@u2"]["descendants"] == [f"{B}problem+block@sum"]


async def test_what_is_for_staff_only_is_merged_over_ancestors(client, bus, demo):
    demo.blocks["chapter@one"]["settings"] |= {"visible_to_staff_only": True, "hide_from_toc": True}
    demo.blocks["html@intro"]["settings"]["visible_to_staff_only"] = False
    await bus.import_course(demo)
    asked = url(all_blocks="true", depth="all", requested_fields="visible_to_staff_only,hide_from_toc,icon_class")
    blocks = (await client.get(asked, TEACHER)).json()["blocks"]
    said = {key.rpartition("@")[2]: block for key, block in blocks.items()}
    assert [said[name]["visible_to_staff_only"] for name in ("one", "u1", "intro", "two", "thing")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert [said[name]["hide_from_toc"] for name in ("one", "u1", "two")] == [True, True, False]
    assert [said[name]["icon_class"] for name in ("u1", "u2", "u3")] == ["video", "problem", "other"]


async def test_a_filter_by_type_lifts_what_the_removed_held(client, enrolled):
    asked = url(all_blocks="true", depth="all", requested_fields="children", block_types_filter="course,html,problem")
    answer = (await client.get(asked, TEACHER)).json()
    assert set(answer["blocks"]) == {f"{B}html+block@intro", f"{B}problem+block@sum", f"{B}course+block@course"}
    assert answer["blocks"][answer["root"]]["children"] == [f"{B}html+block@intro", f"{B}problem+block@sum"]
    without_root = (await client.get(url(all_blocks="true", depth="all", block_types_filter="html"), TEACHER)).json()
    assert without_root["root"] not in without_root["blocks"]


async def test_student_view_data_of_texts_and_videos_and_never_of_problems(client, enrolled):
    asked = url(username="learner", depth="all", student_view_data="html,video,problem,gizmo")
    answer = await client.get(asked, LEARNER)
    blocks = answer.json()["blocks"]
    html = blocks[f"{B}html+block@intro"]["student_view_data"]["html"]
    assert 'src="/asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png"' in html
    assert f'href="/xblock/{B}vertical+block@u2"' in html
    video = blocks[f"{B}video+block@film"]["student_view_data"]
    assert video["encoded_videos"]["youtube"]["url"].endswith("abcdefghijk")
    assert video["transcripts"]["en"].startswith("https://lectern.example/asset-v1:")
    assert "student_view_data" not in blocks[f"{B}problem+block@sum"]
    assert "It is two" not in answer.text
    assert "yes indeed" not in answer.text
    assert "secret" not in answer.text


async def test_a_learner_gets_only_what_is_released(client, bus, demo):
    demo.blocks["chapter@two"]["settings"]["visible_to_staff_only"] = True
    demo.blocks["vertical@u2"]["settings"]["start"] = "2999-01-01T00:00:00Z"
    demo.block("html@orphan", data="nobody's")
    await bus.import_course(demo)
    await bus.account(LEARNER)
    await bus.enroll(LEARNER)
    keys = set((await client.get(url(username="learner", depth="all"), LEARNER)).json()["blocks"])
    assert {key.rsplit("@", 1)[1] for key in keys} == {"course", "one", "a", "u1", "intro", "film"}
    assert len((await client.get(url(username="robot", depth="all"), TEACHER)).json()["blocks"]) == 12
    assert len((await client.get(url(username="learner", depth="all"), TEACHER)).json()["blocks"]) == 6


async def test_a_course_that_has_not_begun_is_an_empty_tree_for_learners(client, bus, demo):
    demo.blocks["course@course"]["settings"]["start"] = "2999-01-01T00:00:00Z"
    await bus.import_course(demo)
    await bus.enroll(LEARNER)
    answer = (await client.get(url(username="learner", depth="all"), LEARNER)).json()
    assert answer == {"root": f"{B}course+block@course", "blocks": {}}


@pytest.mark.parametrize(
    ("key", "status", "root"),
    [
        (f"{B}chapter+block@one", 200, f"{B}chapter+block@one"),
        (f"{B.replace('+', '%2B')}chapter%2Bblock@one", 200, f"{B}chapter+block@one"),
        ("i4x://Org/Demo/chapter/one", 200, f"{B}chapter+block@one"),
        (f"{B}chapter+block@one/", 200, f"{B}chapter+block@one"),
        (f"{B}chapter+block@none", 404, None),
        (f"{B}html+block@hidden", 404, None),
        ("nonsense", 400, None),
        ("i4x://No/Such/chapter/one", 400, None),
    ],
)
async def test_below_a_block(client, bus, demo, key, status, root):
    demo.block("html@hidden", data="x", visible_to_staff_only=True)
    demo.blocks["vertical@u1"]["children"].append("html@hidden")
    await bus.import_course(demo)
    await bus.enroll(LEARNER)
    for version in ("v1", "v2"):
        answer = await client.get(f"/api/courses/{version}/blocks/{key}?username=learner&depth=all", LEARNER)
        assert answer.status_code == status, answer.text
        assert answer.json().get("root") == root
    if status == 400:
        message = answer.json()["field_errors"]["usage_key"]["developer_message"]
        assert message == f"'{key}' is not a valid usage key."


async def test_a_slashed_spelling_names_the_same_course(client, enrolled):
    answer = await client.get(url(course="Org/Demo/1", username="learner"), LEARNER)
    assert answer.status_code == 200


async def test_block_metadata_has_the_words_without_the_answers(client, enrolled):
    key = f"{B}problem+block@sum"
    answer = await client.get(f"/api/courses/v1/block_metadata/{key}?include=index_dictionary", LEARNER)
    assert answer.json()["id"] == key
    assert answer.json()["index_dictionary"]["content"]["capa_content"] == "1 + 1? two three"
    assert (await client.get(f"/api/courses/v1/block_metadata/{key}", LEARNER)).json() == {"id": key, "type": "problem"}
    assert (await client.get(f"/api/courses/v1/block_metadata/{key}", STRANGER)).status_code == 403


async def test_block_metadata_is_asked_like_the_blocks(client, enrolled):
    for key, caller, status in (
        (f"{B}html+block@none", LEARNER, 404),
        (f"{B}html+block@intro", NOBODY, 403),
        ("nonsense", LEARNER, 400),
        (f"{B}html+block@intro", TEACHER, 200),
    ):
        answer = await client.get(f"/api/courses/v1/block_metadata/{key}", caller)
        assert answer.status_code == status, (key, answer.text)
    assert (await client.get(f"/api/courses/v1/block_metadata/{B}html+block@intro", TEACHER)).json() == {
        "id": f"{B}html+block@intro", "type": "html",
    }  # fmt: skip


async def test_other_methods_are_refused_in_the_familys_shape(client, enrolled):
    answer = await client.post(url(username="learner"), LEARNER)
    assert answer.status_code == 405
    assert set(answer.json()) == {"developer_message", "error_code"}


@pytest.mark.parametrize("path", ["v1/blocks/", "v2/blocks/", f"v1/blocks/{B}html+block@intro", "v1/block_metadata/x"])
async def test_options_say_what_can_be_asked(client, demo, path):
    answer = await client.request("OPTIONS", f"/api/courses/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (200, "GET, HEAD, OPTIONS")
    assert answer.json()["renders"] == ["application/json"]


async def test_only_what_is_published_is_read(client, bus, demo):
    demo.block("vertical@u4", display_name="Soon", draft={"parent": "sequential@a", "index": 1})
    await bus.import_course(demo)
    answer = (await client.get(url(all_blocks="true", depth="all"), TEACHER)).json()
    assert f"{B}vertical+block@u4" not in answer["blocks"]
