from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from import_export.spool import spool_folder, sweep_spool
from import_export.tasks.litter import clear_litter
from import_export.uploads.parts import sweep_partial_uploads
from import_export.workers import sweep_archives, sweep_jobs, sweep_uploads

NOW = datetime.now(UTC)


async def test_old_tasks_go_with_their_snapshots(http, db, resources, archive):
    for age in (40, 20):
        task_id = (await http.push(archive)).json()["task_id"]
        await resources.blobs.put_bytes(f"snapshots/{task_id}", b"{}")
        await db.execute(
            "update job set phase = 'done', snapshot = 'snapshots/' || id, finished_at = $1 where id = $2",
            NOW - timedelta(days=age),
            task_id,
        )
    assert await sweep_jobs(resources, now=NOW, keep=timedelta(days=30)) == 1
    assert await clear_litter(resources) == 1
    assert await db.fetchval("select array_agg(id::text) from job") == [task_id]
    assert await resources.blobs.size(f"snapshots/{task_id}") == 2


async def test_a_snapshot_that_a_later_task_names_stays(http, db, resources, archive):
    for age in (40, 20):
        task_id = (await http.push(archive)).json()["task_id"]
        query = "update job set phase = 'done', snapshot = 'snapshots/shared', finished_at = $1 where id = $2"
        await db.execute(query, NOW - timedelta(days=age), task_id)
    await resources.blobs.put_bytes("snapshots/shared", b"{}")
    assert await sweep_jobs(resources, now=NOW, keep=timedelta(days=30)) == 1
    await clear_litter(resources)
    assert await resources.blobs.size("snapshots/shared") == 2
    assert await sweep_jobs(resources, now=NOW, keep=timedelta(days=10)) == 1
    await clear_litter(resources)
    assert await resources.blobs.size("snapshots/shared") is None


async def test_uploads_of_nobody_go_and_those_still_needed_stay(http, db, resources, archive):
    needed = (await http.push(archive)).json()["task_id"]
    ended = (await http.push(archive)).json()["task_id"]
    await db.execute("update job set phase = 'done' where id = $1", ended)
    assert await sweep_uploads(resources, now=NOW) == 0
    await sweep_uploads(resources, now=NOW + timedelta(hours=2))
    await clear_litter(resources)
    assert await resources.blobs.size(f"uploads/{needed}") == len(archive)
    assert await resources.blobs.size(f"uploads/{ended}") is None


async def test_archives_that_nobody_noted_go_and_those_of_the_cache_stay(db, resources):
    noted, lost = (f"archives/{uuid7()}" for _ in range(2))
    for key in (noted, lost):
        await resources.blobs.put_bytes(key, b"archive")
    await db.execute(
        """insert into archive (key, course_id, variant, etag, blob, size, filename, created_at, used_at)
           values ('k', 'c', 'default', 'e', $1, 7, 'c.tar.gz', now(), now())""",
        noted,
    )
    await sweep_archives(resources, now=datetime.now(UTC))
    await clear_litter(resources)
    assert {noted, lost} <= set(await resources.blobs.list_keys("archives"))
    await sweep_archives(resources, now=datetime.now(UTC) + timedelta(hours=2))
    await clear_litter(resources)
    assert await resources.blobs.size(noted) == 7
    assert await resources.blobs.size(lost) is None


async def test_parts_nobody_went_on_with_go_after_a_day(http, db, resources, archive):
    headers = {"content-type": "application/x-tgz", "content-range": f"bytes 0-9/{len(archive)}"}
    answer = await http("POST", "/api/v0/import/course-v1:O+C+R", content=archive[:10], headers=headers)
    assert answer.json()["files"][0]["size"] == 10
    before = await resources.blobs.list_keys("parts")
    assert await sweep_partial_uploads(resources, now=datetime.now(UTC) + timedelta(hours=23)) == 0
    assert await sweep_partial_uploads(resources, now=datetime.now(UTC) + timedelta(hours=25)) == 1
    await clear_litter(resources)
    assert len(await resources.blobs.list_keys("parts")) == len(before) - 1


def test_folders_of_a_killed_process_go_at_once_and_those_in_use_stay(service_settings, tmp_path):
    settings = service_settings.model_copy(update={"spool_dir": tmp_path})
    with spool_folder(settings, "read-") as mine:
        (mine / "inner").mkdir()
        (tmp_path / "read-of-the-dead" / "inner").mkdir(parents=True)
        (tmp_path / "upload-1").touch()
        assert sweep_spool(tmp_path) == 2
        assert list(tmp_path.iterdir()) == [mine]
        assert (mine / "inner").is_dir()
    assert list(tmp_path.iterdir()) == []
