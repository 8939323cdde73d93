"""Studio's numbers and sentences, to the letter."""

from datetime import UTC, datetime

import orjson
import pytest

from common.testing.identity import a_caller
from import_export.studio.numbers import import_status
from import_export.studio.routes import split_place
from import_export.tasks.models import Job

COURSE = "course-v1:Org+Sample+2030"
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)
IMPORT, STATUS = f"/import/{COURSE}", f"/import_status/{COURSE}/c.tar.gz"


@pytest.fixture(autouse=True)
async def course(add_course):
    await add_course()
    await add_course("course-v1:Old+Slash+Run", spelling="Old/Slash/Run")


async def upload(http, archive, caller=AUTHOR, path=IMPORT, name="c.tar.gz", **more):
    return await http("POST", path, caller, files={"course-data": (name, archive)}, **more)


async def status(http, caller=AUTHOR, path=STATUS):
    answer = await http("GET", path, caller)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    return answer.json()


async def test_an_upload_is_answered_with_1_and_its_status_goes_to_4(http, db, archive):
    assert await status(http) == {"ImportStatus": 0, "Message": ""}
    answer = await upload(http, archive)
    assert (answer.status_code, answer.json()) == (200, {"ImportStatus": 1})
    for percent, state, number in (
        (0, "Pending", 1),
        (5, "Unpacking", 1),
        (50, "Verifying", 2),
        (75, "Updating", 3),
        (95, "Updating", 3),
        (100, "Succeeded", 4),
    ):
        await db.execute("update job set percent = $1, state = $2", percent, state)
        assert await status(http) == {"ImportStatus": number, "Message": ""}


@pytest.mark.parametrize(
    ("code", "percent", "number", "message"),
    [
        ("path_climbs", 5, -1, "Unsafe archive file. Aborting import."),
        ("link_outside", 5, -1, "Unsafe archive file. Aborting import."),
        ("special_member", 5, -1, "Unsafe archive file. Aborting import."),
        ("corrupt", 5, -1, "Unknown error while importing course."),
        ("not_an_archive", 5, -1, "Unknown error while importing course."),
        ("upload_gone", 5, -1, "Uploaded Tar file not found. Try again."),
        ("no_course_xml", 5, -2, "Could not find the course.xml file in the package."),
        ("strict", 50, -2, "mine"),
        ("root_broken", 5, -3, "Unknown error while importing course."),
        ("bad_snapshot", 75, -3, "Unknown error while importing course."),
        ("permission_denied", 75, -1, "Permission denied. You do not have write access to this course."),
    ],
)
async def test_a_failure_is_the_negative_number_of_its_stage(http, db, archive, code, percent, number, message):
    await upload(http, archive)
    said = "Uploaded Tar file not found. Try again." if code == "upload_gone" else "mine"
    await db.execute(
        "update job set state = 'Failed', percent = $1, error = $2::jsonb",
        percent,
        orjson.dumps({"code": code, "message": said}).decode(),
    )
    assert await status(http) == {"ImportStatus": number, "Message": message}


def test_a_library_lacks_a_library_xml():
    job = Job(kind="import", course_id="library-v1:O+L", state="Failed", percent=5, error={"code": "no_course_xml"})
    assert import_status(job) == (-2, "Could not find the library.xml file in the package.")


async def test_a_canceled_import_has_failed_in_its_stage(http, db, archive):
    await upload(http, archive)
    task_id = await db.fetchval("select id from job")
    await http("POST", f"/api/v0/tasks/{task_id}/cancel", AUTHOR)
    assert await status(http) == {"ImportStatus": -1, "Message": ""}


async def test_another_author_or_file_sees_nothing_known(http, archive):
    await upload(http, archive)
    assert (await status(http, a_caller("staff", staff=True)))["ImportStatus"] == 0
    assert (await status(http, path=f"/import_status/{COURSE}/d.tar.gz"))["ImportStatus"] == 0
    assert (await http("GET", STATUS, STRANGER)).status_code == 403


async def test_the_newest_import_of_a_file_counts(http, db, archive):
    await upload(http, archive)
    await db.execute("update job set state = 'Succeeded', phase = 'done', percent = 100")
    await upload(http, archive)
    assert (await status(http))["ImportStatus"] == 1


@pytest.mark.parametrize("spelled", ["Old/Slash/Run", "course-v1:Old+Slash+Run", "course-v1:Old%2BSlash%2BRun"])
async def test_both_key_forms_are_one_course(http, archive, spelled):
    assert (await upload(http, archive, path=f"/import/{spelled}/")).status_code == 200
    assert (await status(http, path="/import_status/Old/Slash/Run/c.tar.gz"))["ImportStatus"] == 1


async def test_a_wrong_extension_is_415_and_remembered(http, db, archive):
    answer = await upload(http, archive, name="c.rar")
    assert (answer.status_code, answer.json()["ErrMsg"], answer.json()["Stage"]) == (
        415,
        "We only support uploading a .tar.gz file.",
        0,
    )
    broken = await upload(http, b"")
    assert (broken.status_code, broken.json()["Stage"]) == (400, -1)
    assert await status(http) == {"ImportStatus": -1, "Message": ""}
    assert await db.fetchval("select count(*) from job") == 0


async def test_parts_by_content_range(http, db, archive):
    def ranged(first, last):
        return {"headers": {"content-range": f"bytes {first}-{last}/{len(archive)}"}}

    end = len(archive) - 1
    lost = await upload(http, archive[10:20], **ranged(10, 19))
    assert (lost.status_code, lost.json()["ErrMsg"], lost.json()["Stage"]) == (
        409,
        "Some chunks missed during file upload. Please try again",
        0,
    )
    first = await upload(http, archive[:10], **ranged(0, 9))
    assert first.json() == {
        "files": [
            {
                "name": "c.tar.gz",
                "size": 10,
                "deleteUrl": "",
                "deleteType": "",
                "url": IMPORT,
                "thumbnailUrl": "",
            }
        ]
    }
    gap = await upload(http, archive[20:30], **ranged(20, 29))
    assert (gap.status_code, gap.json()["ErrMsg"], gap.json()["Stage"]) == (
        409,
        "File upload failed. Please try again",
        0,
    )
    for _ in range(2):  # a proxy sends the last part again
        last = await upload(http, archive[10:], **ranged(10, end))
        assert (last.status_code, last.json()["ImportStatus"]) == (200, 1)
    assert await db.fetchval("select count(*) from job") == 1
    bad = await upload(http, archive[:10], headers={"content-range": "nothing"})
    assert (bad.status_code, bad.json()["Stage"]) == (400, -1)


async def test_an_upload_that_will_not_read_json_is_404(http, archive):
    assert (await upload(http, archive, headers={"accept": "text/html"})).status_code == 404
    assert (await upload(http, archive, headers={"accept": "text/html, application/json"})).status_code == 200


@pytest.mark.parametrize("path", ["/import/", "/export/"])
async def test_pages(http, archive, path):
    await upload(http, archive)
    html = {"accept": "text/html"}
    page = await http("GET", path + COURSE, AUTHOR, headers=html)
    assert page.headers["content-type"].startswith("text/html")
    assert ("c.tar.gz" in page.text) == (path == "/import/")
    assert (await http("GET", path + COURSE, AUTHOR, headers={"accept": "application/json"})).status_code == 406
    assert (await http("GET", path + COURSE, STRANGER, headers=html)).status_code == 403
    assert (await http("GET", path + "course-v1:No+Such+Course", AUTHOR, headers=html)).status_code == 404
    login = await http("GET", path + COURSE, a_caller(None), headers=html)
    assert (login.status_code, login.headers["location"]) == (302, f"/login?next={path}course-v1%3AOrg%2BSample%2B2030")
    tgz = {"accept": "text/html"}
    over = await http("GET", f"{path}{COURSE}?_accept=application/x-tgz", AUTHOR, headers=tgz)
    assert over.status_code == 406


async def test_an_export_counts_to_3(http, db, resources):
    path = f"/export_status/{COURSE}"
    assert (await http("GET", path, AUTHOR)).json() == {"ExportStatus": 0}
    output = f"/export_output/{COURSE}"
    assert (await http("GET", output, AUTHOR)).status_code == 404
    answer = await http("POST", f"/export/{COURSE}", AUTHOR)
    assert (answer.status_code, answer.json()) == (200, {"ExportStatus": 1})
    assert (await http("GET", path, AUTHOR)).json() == {"ExportStatus": 1}
    await db.execute("update job set percent = 50, stage = 'Compressing'")
    assert (await http("GET", path, AUTHOR)).json() == {"ExportStatus": 2}
    await db.execute("""update job set state = 'Failed', error = '{"code": "x", "message": "No."}'""")
    assert (await http("GET", path, AUTHOR)).json() == {
        "ExportStatus": -2,
        "ExportError": {"raw_error_msg": "No.", "edit_unit_url": None},
    }
    await resources.blobs.put_bytes("archives/studio", b"bytes")
    await db.execute(
        "insert into archive values ('k', $1, 'default', null, null, 'e', 'archives/studio', 5, 'c.tar.gz', $2, $2)",
        COURSE,
        datetime.now(UTC),
    )
    await db.execute("update job set state = 'Succeeded', archive_key = 'k', error = null")
    done = (await http("GET", path, AUTHOR)).json()
    assert done == {"ExportStatus": 3, "ExportOutput": f"http://lectern.test{output}"}
    sent = await http("GET", output, AUTHOR)
    assert (sent.status_code, sent.content, sent.headers["content-type"], sent.headers["content-length"]) == (
        200,
        b"bytes",
        "application/x-tgz",
        "5",
    )
    assert (await http("GET", output, a_caller("staff", staff=True))).status_code == 404
    assert (await http("GET", output, STRANGER)).status_code == 403


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("a/b/c/f.tar.gz", ("a/b/c", "f.tar.gz")),
        ("course-v1:a+b+c/f.zip/", ("course-v1:a+b+c", "f.zip")),
        ("course-v1:a+b+c", ("course-v1:a+b+c", "")),
    ],
)
def test_a_key_and_a_filename_come_apart(place, parts):
    assert split_place(place) == parts


async def test_errors_of_every_face_have_its_shape(http):
    faces = {
        "/import/x y": {"ErrMsg", "Stage", "error", "error_code"},
        "/import_status/nonsense/f.tar.gz": {"error", "error_code"},
        "/export_status/nonsense": {"error", "error_code"},
        "/export_output/nonsense": {"error", "error_code"},
        "/api/tasks/v0/tasks/nonsense/": {"detail", "error_code"},
        "/api/v0/export/nonsense": {"developer_message", "error_code"},
        "/api/v1/exports/nonsense": {"type", "title", "status", "detail", "error_code", "request_id"},
    }
    for path, keys in faces.items():
        answer = await http("POST" if path.startswith("/import/") else "GET", path, AUTHOR)
        assert (answer.status_code, set(answer.json())) == (404, keys), path
