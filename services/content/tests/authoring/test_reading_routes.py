"""What authors read: parts of a block, outlines, containers, views, orphans, definitions."""

import pytest

from common.testing.identity import a_caller
from content.versions.models import PUBLISHED

B = "block-v1:Org+Demo+1+type@"
LEARNER = a_caller("learner")
ADMIN = a_caller("admin", staff=True)
INFO = {
    "id", "display_name", "category", "has_children", "edited_on", "published", "published_on", "studio_url", "lms_url",
    "embed_lms_url", "released_to_students", "release_date", "visibility_state", "has_explicit_staff_lock", "start",
    "graded", "due_date", "due", "relative_weeks_due", "format", "course_graders", "has_changes", "actions",
    "explanatory_message", "group_access", "user_partitions", "show_correctness", "hide_from_toc", "xblock_type",
    "ancestor_has_staff_lock", "user_partition_info", "data", "metadata",
}  # fmt: skip


async def info(studio, block_id, **options):
    return (await studio.ok("GET", block_id, **options)).json()


@pytest.mark.parametrize(
    ("block", "more"),
    [
        ("html@intro", set()), ("vertical@u1", {"discussion_enabled"}), ("chapter@one", {"highlights"}),
        ("course@course", {"highlights", "highlights_enabled_for_messaging"}),
        ("sequential@a", {"hide_after_due", "is_prereq", "prereqs", "prereq", "prereq_min_score",
                          "prereq_min_completion", "is_time_limited", "default_time_limit_minutes",
                          "is_proctored_exam", "is_practice_exam", "is_onboarding_exam", "exam_review_rules"}),
    ],
)  # fmt: skip
async def test_a_block_has_every_field_of_studio_and_those_of_its_category(studio, block, more):
    said = await info(studio, block)
    assert said.keys() >= INFO | more
    assert set(said["actions"]) == {"deletable", "draggable", "childAddable", "duplicable"}


async def test_graders_groups_and_weeks_are_told(studio, bus, demo):
    groups = [{"id": 1, "name": "Reds"}, {"id": 2, "name": "Blues"}]
    demo.blocks["course@course"]["fields"] = {"grading_policy": {"GRADER": [{"type": "Homework"}, {"type": "Lab"}]}}
    demo.blocks["course@course"]["settings"]["user_partitions"] = [
        {"id": 7, "name": "Colours", "scheme": "cohort", "groups": groups}
    ]
    demo.blocks["sequential@a"]["settings"]["relative_weeks_due"] = 3
    demo.blocks["vertical@u1"]["settings"]["group_access"] = {"7": [2]}
    await bus.import_course(demo)
    said = await info(studio, "vertical@u1")
    assert (said["course_graders"], said["relative_weeks_due"]) == (["Homework", "Lab"], 3)
    assert said["group_access"] == {"7": [2]}
    assert said["user_partitions"][0]["name"] == "Colours"
    assert said["user_partition_info"] == {
        "selectable_partitions": [
            {"id": 7, "name": "Colours", "scheme": "cohort", "groups": [
                {"id": 1, "name": "Reds", "selected": False, "deleted": False},
                {"id": 2, "name": "Blues", "selected": True, "deleted": False},
            ]},
        ],
        "selected_partition_index": 0,
        "selected_groups_label": "Blues",
    }  # fmt: skip
    assert (await info(studio, "vertical@u2"))["user_partition_info"]["selected_partition_index"] == -1


async def test_of_what_a_section_sets_its_grader_and_its_name_are_not_handed_down(studio):
    await studio.put("sequential@a", metadata={"due": "2031-01-01T00:00:00Z", "showanswer": "never"})
    said = await info(studio, "vertical@u1")
    assert (said["graded"], said["due"]) == (True, "2031-01-01T00:00:00Z")
    assert (said["format"], said["display_name"]) == (None, "Unit 1")
    assert said["metadata"] == {"display_name": "Unit 1"}


async def test_an_edit_is_the_editors_and_of_the_blocks_it_changed(studio):
    before = {block: await info(studio, block) for block in ("html@intro", "vertical@u1", "sequential@a")}
    made = await studio.ok("POST", None, {"parent_locator": f"{B}vertical+block@u1", "category": "html"}, caller=ADMIN)
    editors = {block: (await info(studio, block))["edited_by"] for block in before}
    assert editors == {"html@intro": "robot", "vertical@u1": "admin", "sequential@a": "robot"}
    assert (await info(studio, studio.local(made.json()["locator"])))["edited_by"] == "admin"
    assert (await info(studio, "html@intro"))["edited_on"] == before["html@intro"]["edited_on"]


async def test_has_changes_is_told_of_units_only(studio):
    await studio.put("html@intro", metadata={"a": 1})
    told = {block: (await info(studio, block))["has_changes"] for block in
            ("html@intro", "vertical@u1", "vertical@u2", "sequential@a", "course@course")}  # fmt: skip
    assert told == {"html@intro": None, "vertical@u1": True, "vertical@u2": False, "sequential@a": None,
                    "course@course": None}  # fmt: skip


STATES = [
    # what is set on which block; the state of the unit, of the sequential, of the chapter
    ({}, "live", "live", "live"),
    ({"chapter@one": {"visible_to_staff_only": True}}, "staff_only", "staff_only", "staff_only"),
    ({"vertical@u1": {"visible_to_staff_only": True}}, "staff_only", "live", "live"),
    ({"sequential@a": {"hide_from_toc": True}}, "hide_from_toc", "hide_from_toc", "ready"),
    ({"sequential@a": {"start": "2999-01-01T00:00:00Z"}}, "ready", "ready", "ready"),
    ({"sequential@a": {"start": "2030-01-01T00:00:00Z"}}, "unscheduled", "unscheduled", "needs_attention"),
    ({"sequential@a": {"prereq": f"{B}sequential+block@b"}}, "live", "gated", "ready"),
]


async def test_visibility_states(studio):
    assert (await info(studio, "course@course"))["visibility_state"] is None
    for settings, *states in STATES:
        for block, said in settings.items():
            await studio.put(block, metadata=said, publish="make_public")
        told = [(await info(studio, block))["visibility_state"] for block in
                ("vertical@u1", "sequential@a", "chapter@one")]  # fmt: skip
        assert told == states, settings
        for block, said in settings.items():
            await studio.put(block, metadata=dict.fromkeys(said), publish="make_public")
    await studio.put("html@intro", metadata={"a": 1})
    for block in ("vertical@u1", "sequential@a", "chapter@one"):
        assert (await info(studio, block))["visibility_state"] == "needs_attention"


async def test_staff_locks_say_where_they_are(studio):
    await studio.put("sequential@a", metadata={"visible_to_staff_only": True})
    above, below = await info(studio, "sequential@a"), await info(studio, "vertical@u1")
    assert (above["has_explicit_staff_lock"], above["ancestor_has_staff_lock"]) == (True, False)
    assert (below["has_explicit_staff_lock"], below["ancestor_has_staff_lock"]) == (False, True)
    container = await studio.ok("GET", "vertical@u1", prefix="/xblock/container")
    assert container.json()["staff_lock_from"] == 'Subsection "A"'


async def test_release_dates(studio):
    assert (await info(studio, "html@intro"))["release_date"] == "Jan 01, 2020 at 00:00 UTC"
    await studio.put("course@course", metadata={"start": "2030-01-01T00:00:00Z"})
    said = await info(studio, "html@intro")
    assert (said["release_date"], said["released_to_students"]) == (None, False)


async def test_fields_grader_type(studio):
    assert await info(studio, f"{B}sequential+block@a?fields=graderType") == {
        "graderType": "Homework", "location": f"{B}sequential+block@a",
    }  # fmt: skip
    assert (await info(studio, f"{B}sequential+block@b?fields=graderType"))["graderType"] == "notgraded"


async def test_fields_ancestor_info(studio):
    said = await info(studio, f"{B}html+block@intro?fields=ancestorInfo")
    assert [above["id"] for above in said["ancestors"]] == [
        f"{B}{place}" for place in
        ("vertical+block@u1", "sequential+block@a", "chapter+block@one", "course+block@course")
    ]  # fmt: skip
    assert said["ancestors"][0]["display_name"] == "Unit 1"
    assert {"category", "has_children"} <= said["ancestors"][0].keys()


async def test_fields_custom_read_token(studio):
    said = await info(studio, f"{B}vertical+block@u1?fields=customReadToken")
    assert said.keys() >= INFO
    assert said["parent"] == {"block_type": "sequential", "block_id": "a"}
    assert said["children"] == [
        {"block_type": "html", "block_id": "intro"}, {"block_type": "video", "block_id": "film"},
    ]  # fmt: skip


async def test_a_missing_course_info_block_is_made_when_it_is_read(studio):
    versions = await studio.versions()
    said = await info(studio, "course_info@updates")
    assert (said["id"], said["data"]) == (f"{B}course_info+block@updates", "")
    assert await studio.versions() == versions + 2
    assert "course_info@updates" in (await studio.tree(PUBLISHED)).nodes
    await info(studio, "course_info@updates")
    assert await studio.versions() == versions + 2
    for caller in (LEARNER, a_caller(None)):
        answer = await studio.send("GET", "course_info@handouts", caller=caller)
        assert answer.status_code in (401, 403)
    place = "block-v1:Org+Demo+1+branch@published-branch+type@course_info+block@handouts"
    assert (await studio.send("GET", place)).status_code == 404
    assert await studio.versions() == versions + 2


async def test_an_outline_ends_at_the_units(studio):
    await studio.put("html@intro", metadata={"a": 1})
    outline = (await studio.ok("GET", "course@course", prefix="/xblock/outline")).json()
    assert outline["visibility_state"] is None
    chapters = outline["child_info"]["children"]
    assert outline["child_info"]["category"] == "chapter"
    assert [chapter["display_name"] for chapter in chapters] == ["One", "Two"]
    units = chapters[0]["child_info"]["children"][0]["child_info"]["children"]
    assert [unit["has_changes"] for unit in units] == [True, False]
    assert [chapter["has_changes"] for chapter in chapters] == [True, False]
    assert all("child_info" not in unit and "data" not in unit for unit in units)
    unit = (await studio.ok("GET", "vertical@u1", prefix="/xblock/outline")).json()
    assert "child_info" not in unit


async def test_a_container_has_ancestors_children_and_editors(studio):
    await studio.put("html@intro", metadata={"display_name": "Hi"})
    said = (await studio.ok("GET", "vertical@u1", prefix="/xblock/container")).json()
    assert [above["category"] for above in said["ancestor_info"]["ancestors"]] == ["sequential", "chapter", "course"]
    assert [child["display_name"] for child in said["child_info"]["children"]] == ["Hi", "Film"]
    assert (said["edited_by"], said["published_by"]) == ("robot", "robot")
    assert said["currently_visible_to_students"] is True
    assert said["release_date_from"] == 'Course "A Demo"'
    assert said["staff_lock_from"] is None


async def test_a_view_is_rendered(studio):
    for view in ("student_view", "author_view", "container_preview"):
        said = await info(studio, f"{B}vertical+block@u1/{view}")
        assert set(said) == {"html", "resources"}
        assert "Hello" in said["html"]
    assert (await studio.send("GET", f"{B}vertical+block@u1/no_such_view")).status_code == 404


async def test_what_authors_read_is_the_teams(studio, bus):
    await bus.enroll(LEARNER)
    paths = [
        f"/xblock/outline/{B}course+block@course", f"/xblock/container/{B}vertical+block@u1",
        f"/xblock/{B}vertical+block@u1/student_view", "/orphan/course-v1:Org+Demo+1",
        f"/xblock/{B}vertical+block@u1?fields=graderType", f"/xblock/{B}vertical+block@u1?fields=ancestorInfo",
    ]  # fmt: skip
    for path in paths:
        assert (await studio.client.get(path, LEARNER)).status_code == 403, path
        assert (await studio.client.get(path, a_caller(None))).status_code == 401, path
        assert (await studio.client.get(path, studio.author)).status_code == 200, path


async def test_orphans_are_listed_for_the_team_and_deleted_by_global_staff(studio):
    assert (await studio.ok("GET", "course-v1:Org+Demo+1", prefix="/orphan")).json() == []
    await studio.resources.pool.execute(
        "update block set children = '{}' where block_id = 'vertical@u1' and to_version is null"
    )
    found = (await studio.ok("GET", "Org.Demo.1", prefix="/orphan")).json()
    assert found == [f"{B}html+block@intro", f"{B}video+block@film"]
    await studio.refused(403, "DELETE", "course-v1:Org+Demo+1", prefix="/orphan")
    said = (await studio.ok("DELETE", "course-v1:Org+Demo+1", prefix="/orphan", caller=ADMIN)).json()
    assert said == {"deleted": found}
    for tree in await studio.both():
        assert not {"html@intro", "video@film"} & tree.nodes.keys()
        assert "about@overview" in tree.nodes
    for place in ("course-v1:No+Such+1", "nonsense"):
        assert (await studio.send("GET", place, prefix="/orphan")).status_code == 404


async def test_a_definition_is_read_by_the_teams_that_use_it_and_by_global_staff(studio, bus, demo):
    await bus.enroll(LEARNER)
    key = (await info(studio, "problem@sum"))["definition"]
    guid = key.removeprefix("def-v1:").partition("+")[0]
    spellings = (guid, f"defx://{guid}", f"defx:/{guid}", key, guid.upper())
    for prefix in ("/definition", "/api/content/v1/definition"):
        for place in spellings:
            said = (await studio.ok("GET", place, prefix=prefix)).json()
            assert (said["id"], said["category"]) == (key, "problem")
            assert said["fields"] == demo.blocks["problem@sum"]["fields"]
    callers = [
        (ADMIN, 200), (studio.author, 200), (a_caller("o", org_roles=(("Org", "staff"),)), 200),
        (a_caller("o", active=False, org_roles=(("Org", "staff"),)), 200),
        (LEARNER, 403), (a_caller("stranger"), 403), (a_caller(None), 401), (a_caller("robot", active=False), 403),
        (a_caller("o", org_roles=(("Other", "staff"),)), 403),
    ]  # fmt: skip
    for caller, status in callers:
        assert (await studio.send("GET", guid, prefix="/definition", caller=caller)).status_code == status
    for place, status in ((guid + "0" * 8, 404), ("0" * 24, 404), ("nonsense", 404), (f"def-v1:{guid}+type@html", 404)):
        assert (await studio.send("GET", place, prefix="/definition", caller=ADMIN)).status_code == status
    for method in ("PUT", "DELETE", "POST"):
        assert (await studio.send(method, guid, prefix="/definition")).status_code == 405


async def test_a_definition_is_a_page_for_people(studio, bus):
    await bus.enroll(LEARNER)
    key = (await info(studio, "problem@sum"))["definition"]
    page = await studio.client.page(f"/definition/{key}", studio.author)
    assert (page.status_code, page.headers["vary"]) == (200, "Accept")
    assert key in page.text
    assert "&lt;choice correct=&quot;true&quot;&gt;" in page.text
    for caller, status, said in (
        (LEARNER, 403, "This page is not open to you"),
        (a_caller(None), 302, ""),
        (ADMIN, 404, "There is no such page"),
    ):
        other = f"def-v1:{'0' * 24}+type@problem" if status == 404 else key
        answer = await studio.client.page(f"/definition/{other}", caller)
        assert (answer.status_code, said in answer.text) == (status, True)
    image = await studio.send("GET", key, prefix="/definition", headers={"Accept": "image/png"})
    assert image.status_code == 406


async def test_a_library_is_read_and_written_by_its_team(studio, a_library):
    root = await a_library(children=2)
    said = await info(studio, root)
    assert (said["category"], said["branch"], len(said["children"])) == ("library", "library", 2)
    block = "lib-block-v1:Org+Lib+type@html+block@h0"
    await studio.put(block, data="x")
    read = await info(studio, block)
    assert (read["data"], read["published"], read["has_changes"]) == ("x", False, None)
    for caller, status in ((a_caller("stranger"), 403), (a_caller(None), 401)):
        assert (await studio.send("GET", block, caller=caller)).status_code == status
    await studio.ok("DELETE", block)
    assert (await studio.send("GET", block)).status_code == 404
