import asyncio
import hashlib
import io
import tarfile
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from common.blobs import asset_key
from common.testing.waiting import until
from import_export.tasks.litter import clear_litter
from import_export.workers import ring

COURSE = "course-v1:Org+Sample+2030"
BROKEN = {"course/html/text.xml": "<html"}


async def begun(system, archive, **query):
    answer = await system.http.push(archive, **query)
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


async def test_an_archive_becomes_a_command_and_its_outcome_the_tasks_end(system, archive):
    task_id = await begun(system, archive, source_sha="abc")
    command = await system.content.asked()
    task = await system.http.task(task_id)
    assert (task["state"], task["stage"]) == ("Updating", "Replacing content")
    assert {name: command[name] for name in ("course_id", "spelling", "dry_run", "publish", "expected_head")} == {
        "course_id": COURSE,
        "spelling": COURSE,
        "dry_run": False,
        "publish": True,
        "expected_head": None,
    }
    assert command["source"] == {"repo": None, "sha": "abc", "message": None}
    assert command["requested_by"]["username"] == "staff"
    assert command["may_create"] is True
    assert command["archive_digest"] == hashlib.sha256(archive).hexdigest()

    snapshot = orjson.loads(await system.resources.blobs.get_bytes(command["snapshot"]))
    assert snapshot["org"] == "Org"
    assert snapshot["blocks"]["html@text"]["settings"] == {"display_name": "Text"}
    picture = b"\x89PNG not really"
    key = asset_key(hashlib.sha256(picture).hexdigest())
    assert await system.resources.blobs.get_bytes(key) == picture

    await system.content.reply(command, version=3, counts={"blocks": 9, "blocks_changed": 5})
    await system.content.catalogue_shows(3)
    task = await system.http.ended(task_id)
    assert (task["state"], task["percent"], task["catalogue"]) == ("Succeeded", 100, "announced")
    assert task["counts"] | {"blocks": 5, "blocks_changed": 5, "outcome": "done"} == task["counts"]
    assert (task["draft_version"], task["published_version"]) == ("d" * 24, "c" * 24)
    await clear_litter(system.resources)
    assert await system.resources.blobs.size(f"uploads/{task_id}") is None
    assert (await system.http("GET", task["report_url"])).json()["counts"]["blocks"] == 5
    assert list(system.resources.settings.spool_dir.iterdir()) == []


async def test_success_waits_for_the_catalogue(system, archive):
    task_id = await begun(system, archive)
    await system.content.catalogue_shows(2, version=1)
    await system.content.reply(await system.content.asked(), version=3)
    await until(lambda: system.db.fetchval("select true from job where phase = 'catalogue'"), what="the reply")
    task = await system.http.task(task_id)
    assert (task["state"], task["stage"]) == ("Updating", "Waiting for the catalogue")
    await system.content.catalogue_shows(3, version=2)
    assert (await system.http.ended(task_id))["catalogue"] == "announced"


async def test_a_catalogue_that_knew_first_is_not_waited_for(system, archive):
    await system.content.catalogue_shows(7)
    await until(lambda: system.db.fetchval("select true from catalogue_version"), what="the catalogue's news")
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=7)
    assert (await system.http.ended(task_id))["catalogue"] == "announced"


async def test_a_slow_catalogue_is_named_and_set_right_later(system, archive):
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=3)
    await until(lambda: system.db.fetchval("select true from job where phase = 'catalogue'"), what="the reply")
    left = await system.db.fetchval("select wake_at - now() from job")
    assert timedelta(seconds=4) < left <= timedelta(seconds=5)
    assert await ring(system.resources, now=datetime.now(UTC) + timedelta(seconds=6)) == 1
    task = await system.http.task(task_id)
    assert (task["state"], task["catalogue"]) == ("Succeeded", "pending")
    await system.content.catalogue_shows(3)

    async def announced():
        return (await system.http.task(task_id))["catalogue"] == "announced"

    await until(announced, what="the late news")


async def test_timers_are_kept_by_rows_not_by_processes(system, archive):
    """The worker sleeps until the earliest row's time, whoever wrote the row."""
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=3)
    await until(lambda: system.db.fetchval("select true from job where phase = 'catalogue'"), what="the reply")
    await system.db.execute("update job set wake_at = now() + interval '0.3 seconds'")
    await system.db.execute("select pg_notify('import_export_jobs', '')")
    assert (await system.http.ended(task_id, timeout=3))["catalogue"] == "pending"


@pytest.mark.parametrize(
    ("outcome", "more", "options", "state"),
    [
        ("unchanged", {"version": None}, {}, "Succeeded"),
        ("done", {"version": 3}, {"dry_run": "true"}, "Succeeded"),
        ("done", {"version": None}, {"publish": "false"}, "Succeeded"),
        ("rejected", {"code": "not_found", "message": "Course not found."}, {}, "Failed"),
    ],
)
async def test_outcomes_that_the_catalogue_has_no_part_in(system, archive, outcome, more, options, state):
    task_id = await begun(system, archive, **options)
    command = await system.content.asked()
    assert str(command["dry_run"]).lower() == options.get("dry_run", "false")
    assert str(command["publish"]).lower() == options.get("publish", "true")
    await system.content.reply(command, outcome, **more)
    task = await system.http.ended(task_id)
    assert (task["state"], task["catalogue"]) == (state, None)
    if state == "Failed":
        assert task["error"] == {"code": "not_found", "message": "Course not found.", "member": None}


async def test_an_outcome_told_twice_counts_once(system, archive):
    task_id = await begun(system, archive)
    command = await system.content.asked()
    await system.content.reply(command, "rejected", code="a", message="First.")
    await system.http.ended(task_id)
    await system.content.reply(command, "unchanged")
    other = await begun(system, archive)
    await system.content.reply(await system.content.asked(2), "unchanged")
    await system.http.ended(other)
    assert (await system.http.task(task_id))["error"]["message"] == "First."


async def test_the_same_bytes_are_not_read_again(system, archive):
    first = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=None, counts={"blocks_changed": 5})
    await system.http.ended(first)
    second = await begun(system, archive)
    assert await system.resources.blobs.size(f"uploads/{second}") is None
    command = await system.content.asked(2)
    assert command["snapshot"] == f"snapshots/{first}"
    await system.content.reply(command, "unchanged", counts={"blocks_changed": 0})
    task = await system.http.ended(second)
    assert (task["counts"]["outcome"], task["counts"]["blocks_changed"]) == ("unchanged", 0)
    reports = [(await system.http("GET", f"/api/v0/tasks/{task_id}/report")).json() for task_id in (first, second)]
    assert reports[0] == reports[1]


async def test_content_is_told_at_which_heads_it_holds_the_same_already(system, archive, make_archive):
    """Equal bytes, and equal content in other bytes; not what was imported otherwise, or is something else."""
    await system.http.ended(await succeeded(system, archive, 1))
    for count, (other, options, told) in enumerate(
        (
            (archive, {}, True),
            (make_archive({"README": "beside the course"}), {}, True),
            (archive, {"publish": "false"}, False),
            (make_archive({"course/about/overview.html": "<p>New</p>"}), {}, False),
        ),
        start=2,
    ):
        await begun(system, other, **options)
        command = await system.content.asked(count)
        heads = {"draft": "d" * 24, "published": "c" * 24}
        assert command["unchanged_at"] == (heads if told else None), (count, options)
        await system.content.reply(command, "rejected", code="x", message="No.")


async def succeeded(system, archive, count):
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(count), version=None)
    return task_id


async def test_bytes_that_were_known_and_are_forgotten_before_their_turn_are_asked_for_again(system, archive):
    first = await begun(system, archive)
    blocking = await system.content.asked()
    await system.content.reply(blocking, version=None)
    await system.http.ended(first)
    await begun(system, archive)
    second = await system.content.asked(2)
    third = await begun(system, archive)
    await system.resources.blobs.delete(f"snapshots/{first}")
    await system.content.reply(second, "unchanged")
    assert (await system.http.ended(third))["error"]["code"] == "upload_gone"


PICTURE = asset_key(hashlib.sha256(b"\x89PNG not really").hexdigest())
SWEPT = {"code": "asset_missing", "message": "The bytes of a.png are not in the blob store."}


async def test_files_swept_before_content_came_to_them_are_stored_again(system, archive):
    task_id = await begun(system, archive)
    first = await system.content.asked()
    await system.resources.blobs.delete(PICTURE)
    await system.content.reply(first, "rejected", **SWEPT)
    second = await system.content.asked(2)
    assert second["command_id"] != first["command_id"]
    assert (second["course_id"], second["source"]) == (first["course_id"], first["source"])
    assert await system.resources.blobs.size(PICTURE) == 15
    await clear_litter(system.resources)
    assert await system.resources.blobs.size(second["snapshot"]) is not None
    await system.content.reply(second, version=None)
    assert (await system.http.ended(task_id))["state"] == "Succeeded"
    await clear_litter(system.resources)
    assert await system.resources.blobs.size(f"uploads/{task_id}") is None


async def test_files_that_are_gone_every_time_end_the_import(system, archive):
    task_id = await begun(system, archive)
    for count in (1, 2, 3):
        await system.content.reply(await system.content.asked(count), "rejected", **SWEPT)
    task = await system.http.ended(task_id)
    assert (task["state"], task["error"]["code"]) == ("Failed", "asset_missing")
    assert len(system.content.commands) == 3


async def test_known_bytes_whose_files_are_gone_are_read_when_they_come_again(system, archive):
    """Their upload was not kept, since they were known: the caller is asked for them, and this once is enough."""
    await system.http.ended(await succeeded(system, archive, 1))
    second = await begun(system, archive)
    await system.resources.blobs.delete(PICTURE)
    await system.content.reply(await system.content.asked(2), "rejected", **SWEPT)
    assert (await system.http.ended(second))["error"]["code"] == "upload_gone"
    third = await begun(system, archive)
    command = await system.content.asked(3)
    assert command["snapshot"] == f"snapshots/{third}"
    assert await system.resources.blobs.size(PICTURE) == 15
    await system.content.reply(command, version=None)
    assert (await system.http.ended(third))["state"] == "Succeeded"


async def test_what_was_read_for_a_course_that_is_deleted_is_forgotten(system, archive):
    first = await succeeded(system, archive, 1)
    await system.http.ended(first)
    await system.content.announce("content.course.deleted.v1", {"course_id": COURSE, "version": 9, "deleted": True})
    query = "select true from job where snapshot is null"
    await until(lambda: system.db.fetchval(query), what="the deletion to be heard")
    second = await begun(system, archive)
    command = await system.content.asked(2)
    assert command["snapshot"] == f"snapshots/{second}"
    await system.content.reply(command, version=None)
    assert (await system.http.ended(second))["state"] == "Succeeded"


@pytest.mark.parametrize("difference", ["links", "course", "dry_run", "snapshot"])
async def test_what_was_read_otherwise_or_is_gone_is_read_again(system, archive, difference):
    options = {"dry_run": "true"} if difference == "dry_run" else {}
    first = await begun(system, archive, **options)
    await system.content.reply(await system.content.asked(), version=None)
    await system.http.ended(first)
    if difference == "snapshot":
        await system.resources.blobs.delete(f"snapshots/{first}")
    course = "course-v1:Org+Sample+2031" if difference == "course" else COURSE
    answer = await system.http.push(archive, course, **({"links": "skip"} if difference == "links" else {}))
    command = await system.content.asked(2)
    assert command["snapshot"] == f"snapshots/{answer.json()['task_id']}"
    await system.content.reply(command, "unchanged")
    await system.http.ended(answer.json()["task_id"])


def linked():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("course/static/x")
        member.type, member.linkname = tarfile.SYMTYPE, "../../../etc/passwd"
        tar.addfile(member)
        member = tarfile.TarInfo("course/course.xml")
        data = b'<course org="Org" course="Sample" url_name="2030"/>'
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "code", "member"),
    [
        (lambda _: b"\x1f\x8b" + b"0" * 1000, None, None),
        (lambda make: make({"course/course.xml": None}), "no_course_xml", None),
        (lambda make: make({"course/course.xml": "<course"}), "root_broken", "course.xml:1"),
        (lambda make: make({"../evil": "x"}), "path_climbs", "../evil"),
        (lambda make: make()[:-400], None, None),
        (lambda _: linked(), "link_outside", "course/static/x"),
    ],
)
async def test_a_bad_archive_fails_with_a_code_and_reaches_nobody(system, make_archive, make, code, member):
    task_id = await begun(system, make(make_archive))
    task = await system.http.ended(task_id)
    assert task["state"] == "Failed"
    if code:
        assert (task["error"]["code"], task["error"]["member"]) == (code, member)
    assert system.content.commands == []
    report = (await system.http("GET", f"/api/v0/tasks/{task_id}/report")).json()
    assert report["entries"][0]["code"] == task["error"]["code"]
    assert await system.db.fetchval("select count(*) from outbox where type like 'content.%'") == 0


async def test_a_broken_block_is_reported_and_strict_refuses_it(system, make_archive):
    archive = make_archive(BROKEN)
    task_id = await begun(system, archive, dry_run="true")
    await system.content.reply(await system.content.asked(), "done")
    await system.http.ended(task_id)
    entry = (await system.http("GET", f"/api/v0/tasks/{task_id}/report")).json()["entries"][0]
    assert (entry["code"], entry["severity"], entry["file"]) == ("xml_broken", "error", "html/text.xml")

    refused = await system.http.ended(await begun(system, archive, strict="true"))
    assert (refused["state"], refused["error"]["code"]) == ("Failed", "strict")
    assert len(system.content.commands) == 1


async def test_a_second_import_of_a_course_waits_for_the_first(system, archive, make_archive):
    first = await begun(system, archive)
    second = await begun(system, make_archive({"course/about/overview.html": "<p>New</p>"}))
    other = (await system.http.push(archive, "course-v1:Org+Other+1")).json()["task_id"]
    commands = [await system.content.asked(1), await system.content.asked(2)]
    assert {command["course_id"] for command in commands} == {COURSE, "course-v1:Org+Other+1"}
    assert (await system.http.task(second))["state"] == "Pending"
    for command in commands:
        await system.content.reply(command, version=None)
    await system.http.ended(first)
    await system.http.ended(other)
    await system.content.reply(await system.content.asked(3), version=None)
    assert (await system.http.ended(second))["state"] == "Succeeded"


async def test_a_command_without_an_answer_is_sent_again_as_it_was(system, archive):
    task_id = await begun(system, archive)
    first = await system.content.asked()
    await ring(system.resources, now=datetime.now(UTC) + timedelta(hours=2))
    again = await system.content.asked(2)
    assert again == first
    assert (await system.http.task(task_id))["state"] == "Retrying"
    await system.content.reply(again, "rejected", code="expired", message="Too late.")
    assert (await system.http.ended(task_id))["error"]["code"] == "expired"


async def test_a_bomb_is_refused_while_it_is_still_small(system, make_archive):
    archive = make_archive({"course/static/zeros": bytes(40_000_000)})
    assert len(archive) < 100_000
    task = await system.http.ended(await begun(system, archive))
    assert task["error"]["code"] == "ratio_too_high"


async def test_after_a_bomb_the_next_archive_is_read(system, archive, make_archive):
    await begun(system, make_archive({"course/static/zeros": bytes(40_000_000)}))
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=None)
    assert (await system.http.ended(task_id))["state"] == "Succeeded"


async def test_the_end_is_announced(system, archive):
    task_id = await begun(system, archive)
    await system.content.reply(await system.content.asked(), version=None)
    await system.http.ended(task_id)
    await asyncio.sleep(0)
    payload = await system.db.fetchval("select payload from outbox where type = 'import_export.job.finished.v1'")
    said = orjson.loads(payload)
    assert (said["job_id"], said["state"], said["kind"]) == (task_id, "Succeeded", "import")


async def test_the_request_id_goes_with_the_job_to_the_bus(system, archive):
    headers = {"content-type": "application/x-tgz", "x-request-id": "follow-me-12345"}
    answer = await system.http("POST", f"/api/v0/import/{COURSE}", content=archive, headers=headers)
    command = await system.content.asked()
    await ring(system.resources, now=datetime.now(UTC) + timedelta(hours=2))
    await system.content.reply(command, version=None)
    await system.http.ended(answer.json()["task_id"])
    rows = await system.db.fetch("select type, headers ->> 'request_id' as id from outbox order by position")
    assert [(row["type"].split(".")[1], row["id"]) for row in rows] == [
        ("import_course", "follow-me-12345"),
        ("import_course", "follow-me-12345"),
        ("job", "follow-me-12345"),
    ]


@pytest.mark.parametrize("address", ["v1", "option"])
async def test_a_round_trip_is_tried_and_nothing_is_imported(system, archive, address):
    path = f"/api/v1/imports/round_trip/{COURSE}" if address == "v1" else f"/api/v0/import/{COURSE}?round_trip=true"
    answer = await system.http("POST", path, files={"file": ("c.tgz", archive)})
    assert answer.status_code == 202, answer.text
    task_id = answer.json()["task_id"]
    task = await system.http.ended(task_id)
    assert (task["state"], task["counts"]["round_trip_differences"], task["counts"]["outcome"]) == (
        "Succeeded",
        0,
        "equal",
    )
    report = (await system.http("GET", f"/api/v1/imports/{task_id}/report")).json()
    assert report["round_trip"] == {"equal": True, "count": 0, "differences": [], "changed_files": []}
    assert system.content.commands == []
    await clear_litter(system.resources)
    assert await system.resources.blobs.size(f"snapshots/{task_id}") is None
    # what was only tried is no import: the same bytes are read for themselves
    other = await begun(system, archive)
    command = await system.content.asked()
    assert (command["snapshot"], command["unchanged_at"]) == (f"snapshots/{other}", None)
    await system.content.reply(command, "unchanged")
    await system.http.ended(other)


async def test_a_round_trip_of_a_bad_archive_is_refused_as_an_import_is(system):
    answer = await system.http("PUT", f"/api/v1/imports/round_trip/{COURSE}", files={"file": ("c.tgz", linked())})
    task = await system.http.ended(answer.json()["task_id"])
    assert (task["state"], task["error"]["code"]) == ("Failed", "link_outside")
