import os
import time
from datetime import UTC, datetime, timedelta

from import_export.workers import sweep_jobs, sweep_spool, sweep_uploads

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
    assert await db.fetchval("select array_agg(id::text) from job") == [task_id]
    assert await resources.blobs.size(f"snapshots/{task_id}") == 2


async def test_a_snapshot_that_a_later_task_names_stays(http, db, resources, archive):
    for age in (40, 20):
        task_id = (await http.push(archive)).json()["task_id"]
        query = "update job set phase = 'done', snapshot = 'snapshots/shared', finished_at = $1 where id = $2"
        await db.execute(query, NOW - timedelta(days=age), task_id)
    await resources.blobs.put_bytes("snapshots/shared", b"{}")
    assert await sweep_jobs(resources, now=NOW, keep=timedelta(days=30)) == 1
    assert await resources.blobs.size("snapshots/shared") == 2
    assert await sweep_jobs(resources, now=NOW, keep=timedelta(days=10)) == 1
    assert await resources.blobs.size("snapshots/shared") is None


async def test_snapshots_of_exports_go_after_a_day(db, http, resources, add_course):
    await add_course()
    await http("GET", "/api/v0/export/course-v1:Org+Sample+2030")
    await resources.blobs.put_bytes("snapshots/old", b"{}")
    two_days_ago = NOW - timedelta(days=2)
    await db.execute("update job set phase = 'done', snapshot = 'snapshots/old', finished_at = $1", two_days_ago)
    await sweep_jobs(resources, now=NOW, keep=timedelta(days=30))
    assert await resources.blobs.size("snapshots/old") is None
    assert await db.fetchval("select count(*) from job where snapshot is null") == 1


async def test_uploads_of_nobody_go_and_those_still_needed_stay(db, http, resources, archive):
    needed = (await http.push(archive)).json()["task_id"]
    ended = (await http.push(archive)).json()["task_id"]
    await db.execute("update job set phase = 'done' where id = $1", ended)
    assert await sweep_uploads(resources, now=NOW) == 0
    await sweep_uploads(resources, now=NOW + timedelta(hours=7))
    assert await resources.blobs.size(f"uploads/{needed}") == len(archive)
    assert await resources.blobs.size(f"uploads/{ended}") is None


def test_folders_of_a_killed_process_go_when_they_are_old(tmp_path):
    old, young, file = tmp_path / "old", tmp_path / "young", tmp_path / "upload-1"
    (old / "inner").mkdir(parents=True)
    young.mkdir()
    file.touch()
    long_ago = time.time() - 9 * 3600
    os.utime(old, (long_ago, long_ago))
    os.utime(file, (long_ago, long_ago))
    sweep_spool(tmp_path, older_than=time.time() - 6 * 3600)
    assert list(tmp_path.iterdir()) == [young]
