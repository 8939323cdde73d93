"""Importing a course: whole, once, by whoever may."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.keys import CourseKey
from common.testing.identity import a_caller
from common.testing.waiting import until
from content.lifecycle.operations import delete_course

STAFF_MEMBER = a_caller("member")
WAITING = """
select true from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and query like '%from branch%for update%'"""


async def versions(bus) -> dict[str, int]:
    rows = await bus.resources.pool.fetch("select name, head from branch")
    return {row["name"]: row["head"] for row in rows}


async def test_a_course_that_is_not_there_yet_is_created_with_one_version_a_branch(bus, a_draft):
    answer = await bus.import_course(a_draft(), spelling="Org/Demo/1", source={"repo": "r", "sha": "s"})
    assert (answer.outcome, answer.version) == ("done", 2)
    assert answer.counts == {
        "blocks": 15, "blocks_changed": 15, "blocks_removed": 0, "assets": 1, "assets_changed": 1, "assets_removed": 0,
        "files": 1, "files_changed": 1, "files_removed": 0, "drafts": 0,
    }  # fmt: skip
    assert await versions(bus) == {"draft": 1, "published": 1}
    created, published = (
        await bus.announced("content.course.created.v1"),
        await bus.announced("content.course.published.v1"),
    )
    assert [event["version"] for event in created + published] == [1, 2]
    said = published[0]
    assert said["course_id"] == "course-v1:Org+Demo+1"
    assert said["spelling"] == "Org/Demo/1"
    assert said["guid"] == answer.published_guid
    assert said["draft_guid"] == answer.draft_guid
    assert said["course"]["display_name"] == "A Demo"
    assert said["course"]["start"] == "2020-01-01T00:00:00Z"
    assert said["course"]["end"] is None
    assert said["about"] == {"overview": "<h2>About it</h2>", "effort": "2 hours"}
    assert said["source"] == {"repo": "r", "sha": "s", "message": None}
    assert said["created_by"] == "robot"


async def test_the_creator_becomes_instructor_and_is_enrolled_by_command(bus, a_draft):
    await bus.import_course(a_draft())
    (team,) = await bus.announced("content.course_team.changed.v1")
    assert [(member["username"], member["role"], member["removed"]) for member in team["members"]] == [
        ("robot", "instructor", False)
    ]
    (command,) = await bus.announced("enrollment.enroll.v1")
    assert command["items"] == [{"username": "robot", "course_id": "course-v1:Org+Demo+1"}]


async def test_the_same_course_again_writes_nothing(bus, demo):
    before = await bus.resources.pool.fetchval("select count(*) from block")
    announced = await bus.announced()
    answer = await bus.import_course(demo)
    assert answer.outcome == "unchanged"
    assert answer.version == 2
    assert await versions(bus) == {"draft": 1, "published": 1}
    assert await bus.resources.pool.fetchval("select count(*) from block") == before
    assert await bus.announced() == announced


async def test_a_snapshot_known_to_be_what_the_heads_hold_is_not_even_read(bus, demo):
    first = await bus.import_course(demo)
    heads = {"draft": first.draft_guid, "published": first.published_guid}
    elsewhere = {"draft": first.published_guid, "published": first.draft_guid}
    await bus.resources.blobs.put_bytes("snapshots/unreadable", b"{")
    answer = await bus.import_course(demo, snapshot="snapshots/unreadable", unchanged_at=heads)
    assert (answer.outcome, answer.draft_guid, answer.version) == ("unchanged", first.draft_guid, first.version)
    assert answer.counts["blocks_changed"] == 0
    refused = await bus.import_course(demo, snapshot="snapshots/unreadable", unchanged_at=elsewhere)
    assert (refused.outcome, refused.code) == ("rejected", "snapshot_invalid")
    stranger = a_caller("mallory")
    denied = await bus.import_course(demo, by=stranger, snapshot="snapshots/unreadable", unchanged_at=heads)
    assert (denied.outcome, denied.code) == ("rejected", "permission_denied")


async def test_only_what_differs_is_written(bus, demo):
    demo.blocks["html@intro"]["fields"]["data"] = "<p>New</p>"
    del demo.blocks["gizmo@thing"]
    demo.blocks["vertical@u3"]["children"] = []
    answer = await bus.import_course(demo)
    assert answer.counts["blocks_changed"] == 2
    assert answer.counts["blocks_removed"] == 1
    rows = await bus.resources.pool.fetch(
        "select block_id from block where from_version = 2 order by branch_id, block_id"
    )
    assert [row["block_id"] for row in rows] == ["html@intro", "vertical@u3"] * 2
    live = await bus.resources.pool.fetch("select block_id from block where to_version is null")
    assert "gizmo@thing" not in {row["block_id"] for row in live}


async def test_a_draft_makes_a_version_of_the_draft_branch_alone(bus, demo):
    demo.block("vertical@u4", "html@new", display_name="Soon", draft={"parent": "sequential@a", "index": 1})
    demo.block("html@new", data="<p>Not yet</p>", draft={"parent": "vertical@u4", "index": 0})
    answer = await bus.import_course(demo)
    assert answer.outcome == "done"
    assert await versions(bus) == {"draft": 2, "published": 1}
    assert len(await bus.announced("content.course.published.v1")) == 1
    children = await bus.resources.pool.fetchval(
        "select children from block where block_id = 'sequential@a' and from_version = 2"
    )
    assert children == ["vertical@u1", "vertical@u4", "vertical@u2"]


async def test_an_old_version_stays_readable_by_its_guid(bus, demo):
    first = await bus.snapshot(branch="published")
    old = await bus.read_snapshot(first)
    demo.blocks["html@intro"]["fields"]["data"] = "<p>New</p>"
    demo.blocks.pop("about@effort")
    await bus.import_course(demo)
    again = await bus.read_snapshot(await bus.snapshot(version=first.published_guid))
    assert again == old
    assert again["blocks"]["html@intro"]["fields"]["data"].startswith("<p>Hello")


async def test_a_dry_run_counts_and_changes_nothing(bus, a_draft):
    answer = await bus.import_course(a_draft(), dry_run=True)
    assert (answer.outcome, answer.counts["blocks_changed"], answer.draft_guid) == ("done", 15, None)
    assert await bus.resources.pool.fetchval("select count(*) from course") == 0
    await bus.import_course(a_draft())
    assert (await bus.import_course(a_draft(), dry_run=True)).outcome == "unchanged"
    changed = a_draft()
    changed.blocks["html@intro"]["fields"]["data"] = "other"
    answer = await bus.import_course(changed, dry_run=True)
    assert (answer.outcome, answer.counts["blocks_changed"]) == ("done", 1)
    assert await versions(bus) == {"draft": 1, "published": 1}


async def test_an_import_that_is_not_to_be_published_changes_the_draft_alone(bus, demo):
    demo.blocks["html@intro"]["fields"]["data"] = "<p>Draft</p>"
    assert (await bus.import_course(demo, publish=False)).outcome == "done"
    assert await versions(bus) == {"draft": 2, "published": 1}


async def test_a_new_course_that_is_not_to_be_published_has_its_root_published(bus, a_draft):
    await bus.import_course(a_draft(), publish=False)
    rows = await bus.resources.pool.fetch(
        "select block_id, children from block join branch on branch.id = branch_id where name = 'published' "
        "and type not like '$%' order by block_id"
    )
    assert [row["block_id"] for row in rows] == [
        "about@effort",
        "about@overview",
        "course@course",
        "static_tab@syllabus",
    ]
    assert [row["children"] for row in rows] == [[], [], [], []]


@pytest.mark.parametrize(
    ("by", "said", "code"),
    [
        (a_caller("nobody"), {}, "not_found"),
        (a_caller("robot", grants=("Other",)), {}, "not_found"),
        (a_caller("robot", grants=("Org",)), {"may_create": False}, "not_found"),
        (a_caller("robot", grants=("Org",)), {}, None),
        (a_caller("robot", grants=("Org.Demo",)), {}, None),
        (a_caller("robot", staff=True), {}, None),
        (a_caller("robot", staff=True), {"course_id": "no key"}, "bad_course_key"),
        (a_caller("robot", staff=True), {"snapshot": "snapshots/none"}, "snapshot_missing"),
        (a_caller("robot", staff=True), {"expected_head": "0" * 24}, "stale_head"),
    ],
)  # fmt: skip
async def test_who_may_create_a_course_by_importing_it(bus, a_draft, by, said, code):
    answer = await bus.import_course(a_draft(), by=by, **said)
    assert answer.code == code
    assert await bus.resources.pool.fetchval("select count(*) from course") == (0 if code else 1)


async def test_an_existing_course_is_the_teams_and_the_staffs(bus, a_draft):
    maker = a_caller("maker", grants=("Org",))
    await bus.import_course(a_draft(), by=maker)
    changed = a_draft(language="de")
    assert (await bus.import_course(changed, by=a_caller("other", grants=("Org",)))).code == "permission_denied"
    await bus.account(a_caller("maker", active=False))
    assert (await bus.import_course(changed, by=maker)).code == "permission_denied"
    await bus.account(maker, version=2)
    assert (await bus.import_course(changed, by=a_caller("maker"))).outcome == "done"


@pytest.mark.parametrize(
    ("roles", "code"),
    [
        ((("Org", "staff"),), None),
        ((("Org", "instructor"),), None),
        ((("Org", "learner"),), "permission_denied"),
        ((("Other", "staff"),), "permission_denied"),
    ],
)
async def test_the_staff_of_an_organization_imports_and_exports_its_courses(bus, demo, roles, code):
    olga = a_caller("olga", org_roles=roles, active=False)
    assert (await bus.import_course(demo, by=olga)).code == code
    assert (await bus.snapshot(by=olga)).code == code


async def test_an_expected_head_must_be_the_drafts(bus, demo):
    answer = await bus.import_course(demo)
    demo.blocks["html@intro"]["fields"]["data"] = "x"
    stale = await bus.import_course(demo, expected_head="0" * 24)
    assert stale.code == "stale_head"
    assert (await bus.import_course(demo, expected_head=answer.draft_guid)).outcome == "done"


async def test_nothing_is_stored_when_the_bytes_of_an_asset_are_missing(bus, a_draft):
    draft = a_draft()
    draft.asset("gone.bin", b"never staged " + str(datetime.now(UTC)).encode())
    draft.bytes_of.clear()
    draft.assets = {"gone.bin": draft.assets["gone.bin"]}
    answer = await bus.import_course(draft)
    assert answer.code == "asset_missing"
    assert "gone.bin" in (answer.message or "")
    for table in ("course", "block", "definition", "outbox"):
        assert await bus.resources.pool.fetchval(f"select count(*) from {table}") == 0


def a_deep_course(levels: int) -> dict:
    names = ["course@course", *(f"vertical@v{level}" for level in range(1, levels))]
    return {
        name: {"type": name.split("@")[0], "id": name.split("@")[1], "children": [below] if below else []}
        for name, below in itertools.zip_longest(names, names[1:])
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.update(format=2), "format"),
        (lambda document: document.update(root="course@other"), "root"),
        (lambda document: document["blocks"].update({"html@x": {"type": "html", "id": "y"}}), "html@x"),
        (lambda document: document["blocks"].update({"html@x": []}), "html@x"),
        (lambda document: document["assets"].update({"a": {"digest": "../../etc"}}), "Asset a"),
        (lambda document: document["files"].update({"a": 1}), "File a"),
        (lambda document: document["blocks"]["html@intro"]["fields"].update(data="a\0b"), "NUL"),
        (lambda document: document["blocks"]["vertical@u1"]["children"].append("chapter@one"), "below itself"),
        (lambda document: document["files"].update({"x" * 1001: "text"}), "longer than"),
        (lambda document: document["assets"].update({"": {"digest": "ab" * 32}}), "empty"),
        (lambda document: document.update(blocks=a_deep_course(101)), "levels deep"),
    ],
)
async def test_a_snapshot_that_cannot_be_read_is_refused_with_the_place(bus, a_draft, change, words):
    draft = a_draft()
    document = draft.document()
    change(document)
    draft.document = lambda: document
    answer = await bus.import_course(draft)
    assert answer.code == "snapshot_invalid"
    assert words in (answer.message or "")


async def test_a_text_about_nul_is_no_nul_and_a_hundred_levels_are_read(bus, a_draft, client):
    draft = a_draft()
    draft.blocks = a_deep_course(100)
    draft.blocks["vertical@v99"]["settings"] = {"display_name": "\\u0000 and \\\\u0000"}
    assert (await bus.import_course(draft)).outcome == "done"
    for accept in ("application/json", "text/html"):
        for path in ("/course/course-v1:Org+Demo+1", "/xblock/block-v1:Org+Demo+1+type@vertical+block@v1"):
            answer = await client.get(path, a_caller("admin", staff=True), headers={"Accept": accept})
            assert answer.status_code == 200


async def test_blocks_shared_over_and_over_are_opened_up_once(bus, a_draft, client):
    draft = a_draft()
    rungs = 40
    draft.blocks = {"course@course": {"type": "course", "id": "course", "children": ["sequential@a0", "sequential@b0"]}}
    for rung in range(rungs):
        below = [f"sequential@a{rung + 1}", f"sequential@b{rung + 1}"] if rung + 1 < rungs else []
        for side in "ab":
            draft.block(f"sequential@{side}{rung}", *below)
    assert (await bus.import_course(draft)).outcome == "done"
    admin = a_caller("admin", staff=True)
    for accept in ("application/json", "text/html"):
        for path in ("/course/course-v1:Org+Demo+1", "/xblock/block-v1:Org+Demo+1+type@sequential+block@a0"):
            assert (await client.get(path, admin, headers={"Accept": accept})).status_code == 200
    everything = "/api/courses/v1/blocks/?course_id=course-v1:Org%2BDemo%2B1&all_blocks=1&depth=all&nav_depth=1"
    answer = await client.get(f"{everything}&block_counts=sequential&block_types_filter=sequential", admin)
    blocks = answer.json()["blocks"]
    assert len(blocks) == 2 * rungs
    assert blocks["block-v1:Org+Demo+1+type@sequential+block@a0"]["block_counts"] == {"sequential": 2 * rungs - 1}


async def test_two_imports_of_a_new_course_at_once_end_as_one_course(bus, a_draft):
    one, two = a_draft(), a_draft()
    two.blocks["html@intro"]["fields"]["data"] = "<p>Second</p>"
    answers = await asyncio.gather(bus.import_course(one), bus.import_course(two))
    assert [answer.outcome for answer in answers] == ["done", "done"]
    assert await versions(bus) == {"draft": 2, "published": 2}
    assert await bus.resources.pool.fetchval("select count(*) from course") == 1
    assert len(await bus.announced("content.course.created.v1")) == 1
    assert sorted(event["version"] for event in await bus.announced("content.course.published.v1")) == [2, 3]


async def test_ten_imports_at_once_leave_no_gap_and_no_broken_interval(bus, a_draft):
    drafts = [a_draft() for _ in range(10)]
    for number, draft in enumerate(drafts):
        draft.blocks["html@intro"]["fields"]["data"] = f"<p>{number}</p>"
    await asyncio.gather(*(bus.import_course(draft) for draft in drafts))
    heads = await versions(bus)
    assert heads == {"draft": 10, "published": 10}
    numbers = await bus.resources.pool.fetch("select branch_id, count(*), max(number) from version group by 1")
    assert all(row["count"] == row["max"] == 10 for row in numbers)
    broken = await bus.resources.pool.fetchval(
        "select count(*) from block a join block b using (branch_id, block_id) where a.ctid <> b.ctid "
        "and int8range(a.from_version, a.to_version) && int8range(b.from_version, b.to_version)"
    )
    assert broken == 0


async def test_a_course_deleted_while_its_import_waits_stays_deleted(bus, demo):
    course = demo.course
    demo.blocks["html@intro"]["fields"]["data"] = "<p>Too late</p>"
    async with bus.resources.sessions.begin() as session:
        await delete_course(session, course, if_match=None, now=datetime.now(UTC))
        late = asyncio.create_task(bus.import_course(demo))
        await until(lambda: bus.resources.pool.fetchval(WAITING), what="import that waits for the branches")
    answer = await late
    assert (answer.outcome, answer.code) == ("rejected", "not_found")
    assert await versions(bus) == {"draft": 1, "published": 1}
    assert (await bus.announced())[-1]["deleted_at"]


async def test_equal_content_in_two_runs_is_stored_once(bus, a_draft):
    await bus.import_course(a_draft())
    definitions = await bus.resources.pool.fetchval("select count(*) from definition")
    await bus.import_course(a_draft(CourseKey.parse("course-v1:Org+Demo+2")))
    assert await bus.resources.pool.fetchval("select count(*) from definition") == definitions


async def test_a_course_that_reads_like_another_with_dots_is_refused(bus, a_draft):
    await bus.import_course(a_draft(CourseKey.parse("course-v1:Org+6.002x+1")))
    answer = await bus.import_course(a_draft(CourseKey.parse("course-v1:Org.6+002x+1")))
    assert answer.code == "course_name_taken"


names = st.text("abcdefgh", min_size=1, max_size=3)
courses = st.dictionaries(
    names, st.tuples(st.text(max_size=10).filter(lambda text: "\0" not in text), names), max_size=8
)


@settings(max_examples=20)
@given(first=courses, second=courses)
async def test_any_course_imported_twice_writes_once_and_comes_back_as_it_was(bus, a_draft, first, second):
    tables = ("block", "version", "branch", "course_team", "course", "outbox")
    await bus.resources.pool.execute(";".join(f"delete from {table}" for table in tables))
    for leaves in (first, second):
        draft = a_draft()
        draft.blocks["vertical@u3"]["children"] = [
            draft.block(f"html@{name}", data=data, display_name=title) for name, (data, title) in leaves.items()
        ]
        del draft.blocks["gizmo@thing"]
        await bus.import_course(draft)
        rows = await bus.resources.pool.fetchval("select count(*) from block")
        assert (await bus.import_course(draft)).outcome == "unchanged"
        assert await bus.resources.pool.fetchval("select count(*) from block") == rows
        written = await bus.read_snapshot(await bus.snapshot())
        assert written["blocks"] == draft.document()["blocks"]
        assert written["drafts"] == {}
