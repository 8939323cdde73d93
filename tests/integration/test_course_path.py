"""The path a stranger walks: push a course, find it, enroll a thousand learners, read it, take it out again."""

import asyncio
import hashlib
import io
import json
import re
import tarfile
import uuid

import pytest
from api import (
    Client,
    blocks_of,
    enroll,
    export_course,
    finished,
    grant,
    import_course,
    new_user,
    pack,
    push,
    quoted,
)
from independent_olx import Archive, inner_of, read, same_value
from plain_publisher import commands_for, publish

A7_FIELDS = {
    "blocks_url", "course_id", "effort", "end", "enrollment_end", "enrollment_start", "hidden", "id",
    "invitation_only", "media", "mobile_available", "name", "number", "org", "overview", "pacing",
    "short_description", "start", "start_display", "start_type",
}  # fmt: skip


@pytest.fixture
async def robot(admin) -> Client:
    name = f"robot_{uuid.uuid4().hex[:8]}"
    robot = await new_user(admin, name)
    await grant(admin, name, "PathX")
    return robot


def a_course() -> str:
    return f"course-v1:PathX+Demo+{uuid.uuid4().hex[:8]}"


async def block_of(client: Client, key: str) -> dict:
    return await client.json(f"/xblock/{quoted(key)}?rewrite_url_links=false")


async def compare_with_archive(client: Client, course: str, expected: Archive) -> None:
    """Every block with all its fields, every static file with its bytes, against the independent reading."""
    tree = await blocks_of(client, course, all_blocks="true")
    run = course.removeprefix("course-v1:")
    name = {
        f"{block.kind}@{block.name}": f"block-v1:{run}+type@{block.kind}+block@"
        + ("course" if block.kind == "course" else block.name)
        for block in expected.blocks.values()
    }
    found = set(tree["blocks"])
    root = tree["root"]
    name[expected.root] = root
    assert found == set(name.values())
    for key, block in expected.blocks.items():
        published = name[key].replace("+type@", "+branch@published-branch+type@")
        have = await block_of(client, published)
        children = [name[child] for child in block.children]
        assert tree["blocks"][name[key]].get("children", []) == children, key
        assert tree["blocks"][name[key]]["type"] == block.kind
        for setting, value in block.settings.items():
            kept = {**have["xml_attributes"], **have["metadata"]}
            assert setting in kept, f"{key} lost {setting}"
            if setting == "wiki_slug":  # names the course it belongs to
                continue
            value = expected.moved(value)
            assert same_value(value, kept[setting]), (key, setting, value, kept[setting])
        if block.text is not None:
            assert have["data"] == expected.moved(block.text), key
        elif block.inner:
            inner = [expected.moved(part) for part in block.inner]
            assert inner_of(have["data"]) == inner or inner_of(_unwrapped(have["data"])) == inner, key
    for asset, digest in expected.static.items():
        answer = await client.get(f"/asset-v1:{run}+type@asset+block@{asset}")
        assert answer.status_code == 200, asset
        assert hashlib.sha256(answer.content).hexdigest() == digest, asset


def _unwrapped(data: str) -> str:
    """The inside of a raw block that is stored as its whole element."""
    return re.sub(r"\A\s*<[^>]+>|</[^>]+>\s*\Z", "", data)


def equal_content(first: bytes, second: bytes) -> None:
    """Two archives hold the same course: same files, same bytes, but for the names of org, course and run."""

    def contents(data: bytes) -> dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}

    one, two = contents(first), contents(second)
    run_of = re.compile(rb'url_name="([^"]+)"')
    runs = [run_of.search(next(data for name, data in files.items() if re.fullmatch(r"[^/]+/course\.xml", name)))
            for files in (one, two)]  # fmt: skip
    old, new = (run.group(1).decode() for run in runs)
    renamed = {name.replace(f"/{new}", f"/{old}"): data for name, data in two.items()}
    assert set(one) == set(renamed)
    for name in one:
        assert one[name] == renamed[name].replace(new.encode(), old.encode()), name


async def test_the_whole_path_with_the_sample_course(admin, robot, system, sample_course, amqp):
    course = a_course()
    archive = pack(sample_course)

    answer = await push(robot, course, archive)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(answer.json()["url"].split("/api/", 1)[1])
    task = await finished(robot, answer.json()["task_id"])
    assert task["state"] == "Succeeded", task
    report = await robot.json(task["report_url"])
    assert set(report) >= {"entries", "counts"}

    detail = await robot.json(f"/api/courses/v1/courses/{course}")
    assert set(detail) >= A7_FIELDS
    assert detail["id"] == detail["course_id"] == course
    listed = await Client(robot.http).json("/api/courses/v1/courses/", params={"org": "PathX", "page_size": 100})
    assert course in [item["id"] for item in listed["results"]]

    learner = await new_user(admin, f"learner_{uuid.uuid4().hex[:8]}")
    stranger = await new_user(admin, f"stranger_{uuid.uuid4().hex[:8]}")
    answer = await enroll(learner, course)
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"] == learner.username
    assert answer.json()["is_active"] is True

    tree = await blocks_of(learner, course)
    assert tree["root"] in tree["blocks"]
    html = next(block for block in tree["blocks"].values() if block["type"] == "html")
    block = await block_of(learner, html["id"])
    assert block["id"] == html["id"]
    page = await learner.get(f"/xblock/{quoted(html['id'])}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "Accept" in page.headers["vary"]
    refused = await stranger.get(
        "/api/courses/v1/blocks/", params={"course_id": course, "username": stranger.username, "depth": "all"}
    )
    assert refused.status_code == 403
    assert refused.json()["developer_message"] == f"Course blocks for '{stranger.username}' cannot be accessed."
    assert (await stranger.get(f"/xblock/{quoted(html['id'])}")).status_code == 403

    await compare_with_archive(robot, course, read(archive))

    exported = await export_course(robot, course)
    other = a_course()
    await import_course(robot, other, exported)
    equal_content(exported, await export_course(robot, other))


async def test_a_thousand_learners_are_enrolled_by_commands_on_the_bus(admin, robot, sample_course, amqp):
    course = a_course()
    await import_course(robot, course, pack(sample_course))
    stem = uuid.uuid4().hex[:8]
    names = [f"many_{stem}_{number}" for number in range(1000)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    answer = await admin.post("/api/accounts/v1/users", json=users)
    assert answer.status_code == 201, answer.text

    commands = commands_for(names, course)
    answers = await publish(amqp, commands)
    outcomes = [result["outcome"] for answer in answers for result in answer["results"]]
    assert outcomes == ["enrolled"] * 1000
    assert sorted(result["ref"] for answer in answers for result in answer["results"]) == sorted(names)

    again = await publish(amqp, commands)
    by_id = {answer["command_id"]: answer for answer in answers}
    assert {answer["command_id"]: answer for answer in again} == by_id

    listed = await admin.json("/api/enrollment/v1/enrollments", params={"course_id": course})
    assert len(listed["results"]) == 100
    seen = {item["user"] for item in listed["results"]}
    while listed["next"]:
        listed = await admin.json(listed["next"].split("/", 3)[-1].join(["/", ""]))
        seen |= {item["user"] for item in listed["results"]}
    assert set(names) <= seen


async def test_the_comparison_notices_an_importer_that_loses_one_field(robot, system, sample_course, repository):
    broken = repository / "tests/integration/broken_importer"
    course = a_course()
    archive = pack(sample_course)
    system.stop("import-export")
    system.spawn("import-export", environment={"PYTHONPATH": str(broken)})
    try:
        await asyncio.to_thread(system.wait_ready)
        await import_course(robot, course, archive)
        with pytest.raises(AssertionError, match="lost max_attempts"):
            await compare_with_archive(robot, course, read(archive))
    finally:
        system.stop("import-export")
        system.spawn("import-export")
        await asyncio.to_thread(system.wait_ready)


@pytest.mark.bonus
async def test_the_demo_course_arrives_with_every_field_and_file(robot, demo_course):
    course = a_course()
    task = await import_course(robot, course, demo_course.read_bytes())
    expected = read(demo_course.read_bytes())
    assert (len(expected.blocks), len(expected.static)) == (401, 124)
    assert task["counts"]["blocks"] >= 401
    await compare_with_archive(robot, course, expected)
    detail = await robot.json(f"/api/courses/v1/courses/{course}")
    assert detail["name"] == "Open edX Demo Course"
    assert detail["start"] == "2020-01-01T00:00:00Z"
    assert detail["overview"] == expected.about["overview"]
    assert detail["short_description"] == expected.about["short_description"]
    first = await export_course(robot, course)
    other = a_course()
    await import_course(robot, other, first)
    equal_content(first, await export_course(robot, other))


OFTEN = pytest.mark.parametrize("times", [50, pytest.param(500, marks=[pytest.mark.torture, pytest.mark.timeout(600)])])


@OFTEN
async def test_scripts_are_never_refused_for_being_fast(admin, robot, sample_course, times):
    """Create user → enroll, create course → read catalogue, enroll → read block, each so many times back to back."""
    course = a_course()
    await import_course(robot, course, pack(sample_course))
    root = (await blocks_of(robot, course))["root"]
    refusals = []
    for number in range(times):
        name = f"fast_{uuid.uuid4().hex[:10]}"
        answer = await admin.post("/api/accounts/v1/users", json={"username": name, "email": f"{name}@example.com"})
        assert answer.status_code == 201
        answer = await enroll(admin, course, user=name)
        if answer.status_code != 200:
            refusals.append(("enroll", answer.status_code, answer.text))
        answer = await admin.get(f"/api/courses/v1/blocks/{quoted(root)}", params={"username": name})
        if answer.status_code != 200:
            refusals.append(("block", answer.status_code, answer.text))
        made = {"org": "PathX", "number": f"N{number}", "run": uuid.uuid4().hex[:8], "display_name": "Quick"}
        answer = await admin.post("/course", json=made)
        key = answer.json()["course_key"]
        answer = await admin.get(f"/api/courses/v1/courses/{key}")
        if answer.status_code != 200:
            refusals.append(("catalogue", answer.status_code, answer.text))
    assert refusals == []


@OFTEN
async def test_a_learner_reads_right_after_enrolling(admin, robot, sample_course, times):
    course = a_course()
    await import_course(robot, course, pack(sample_course))
    stem = uuid.uuid4().hex[:6]
    refusals = []
    for number in range(times):
        learner = await new_user(admin, f"quick_{stem}_{number}")
        answer = await enroll(learner, course)
        assert answer.status_code == 200, answer.text
        answer = await learner.get(
            "/api/courses/v1/blocks/", params={"course_id": course, "username": learner.username, "depth": "all"}
        )
        if answer.status_code != 200:
            refusals.append((answer.status_code, answer.text))
    assert refusals == []


async def test_an_identical_archive_changes_nothing(robot, sample_course):
    course = a_course()
    archive = pack(sample_course)
    await import_course(robot, course, archive)
    before = (await robot.get(f"/api/v0/export/{course}", headers={"Accept": "application/x-tgz"})).headers["etag"]
    again = await import_course(robot, course, archive)
    after = (await robot.get(f"/api/v0/export/{course}", headers={"Accept": "application/x-tgz"})).headers["etag"]
    assert before == after
    assert json.dumps(again)


async def test_many_robots_at_once(admin, sample_course):
    stem = uuid.uuid4().hex[:6]
    robots = [await new_user(admin, f"robots_{stem}_{number}", is_staff=True) for number in range(4)]
    archive = pack(sample_course)
    tasks = await asyncio.gather(*(import_course(robot, a_course(), archive) for robot in robots))
    assert {task["state"] for task in tasks} == {"Succeeded"}
