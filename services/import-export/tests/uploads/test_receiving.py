import pytest

from import_export.uploads.errors import BadOptions, NotAnArchive, WrongFormat
from import_export.uploads.operations import clean_filename, kind_of
from import_export.uploads.schemas import read_import_request

ARCHIVE = b"\x1f\x8b" + b"0" * 100
PATH = "/api/v0/import/course-v1:Org+Sample+2030"


async def stored(http, db, answer):
    assert answer.status_code == 202, answer.text
    return await db.fetchrow("select * from job where id = $1", answer.json()["task_id"])


@pytest.mark.parametrize("field", ["course_data", "course-data", "file"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_form_may_call_the_archive_by_any_of_three_names(http, db, field, method):
    answer = await http(method, PATH, files={field: ("my course.tar.gz", ARCHIVE)}, data={"dry_run": "true"})
    job = await stored(http, db, answer)
    assert (job["filename"], job["state"], job["options"]) == (
        "my course.tar.gz",
        "Pending",
        '{"links": "refuse", "strict": false, "dry_run": true, "publish": true, "round_trip": false}',
    )
    assert answer.headers["location"] == answer.json()["url"] == f"http://lectern.test/api/v0/tasks/{job['id']}"


@pytest.mark.parametrize("media", ["application/x-tgz", "application/gzip", "application/octet-stream", None])
async def test_a_bare_body_is_the_archive(http, db, resources, media):
    headers = {"content-type": media} if media else {}
    answer = await http("POST", PATH + "/", content=ARCHIVE * 9000, headers=headers, params={"filename": "x/y.tgz"})
    job = await stored(http, db, answer)
    assert job["filename"] == "y.tgz"
    assert await resources.blobs.get_bytes(f"uploads/{job['id']}") == ARCHIVE * 9000


async def test_a_streamed_body_without_length_is_read_to_its_end(http, db, resources):
    async def chunks():
        for _ in range(10):
            yield ARCHIVE * 1000

    headers = {"content-type": "application/x-tgz"}
    job = await stored(http, db, await http("POST", PATH, content=chunks(), headers=headers))
    assert await resources.blobs.size(f"uploads/{job['id']}") == len(ARCHIVE) * 10_000


FORM = "multipart/form-data; boundary=BB"
CUT = b'--BB\r\nContent-Disposition: form-data; name="file"; filename="a.tgz"\r\n\r\n' + ARCHIVE


@pytest.mark.parametrize(
    ("media", "body", "status", "code"),
    [
        ("application/x-tgz", b"PK no zip, no gzip" * 50, 400, "not_an_archive"),
        ("application/x-tgz", b"", 400, "empty_upload"),
        ("application/x-tgz", ARCHIVE * 30_000, 413, "upload_too_large"),
        ("application/json", b"{}", 415, "unsupported_upload"),
        ("application/x-www-form-urlencoded", b"a=b", 400, "missing_file"),
        (FORM, CUT, 400, "malformed_form"),
        (FORM, CUT * 2, 400, "malformed_form"),
        (FORM, b"no form at all", 400, "malformed_form"),
        (FORM, CUT.replace(b"a.tgz", b"\xff.tgz") + b"\r\n--BB--\r\n", 400, "malformed_form"),
        ("multipart/form-data", CUT, 400, "malformed_form"),
        (FORM, b'--BB\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--BB--\r\n', 400, "missing_file"),
        (FORM, CUT.replace(b"a.tgz", b"a.rar") + b"\r\n--BB--\r\n", 400, "wrong_format"),
        (FORM, CUT.replace(b"a.tgz", b"") + b"\r\n--BB--\r\n", 400, "wrong_format"),
        (FORM, CUT + b"\r\n" + CUT.replace(b'"file"', b'"course_data"') + b"\r\n--BB--\r\n", 400, "several_files"),
        (FORM, CUT.replace(ARCHIVE, ARCHIVE * 30_000) + b"\r\n--BB--\r\n", 413, "upload_too_large"),
    ],
)
async def test_a_bad_upload_is_refused_with_a_code_and_leaves_nothing(http, db, resources, media, body, status, code):
    before = await resources.blobs.list_keys("uploads")
    answer = await http("POST", PATH, content=body, headers={"content-type": media})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert isinstance(answer.json()["developer_message"], str)
    assert await db.fetchval("select count(*) from job") == 0
    assert await resources.blobs.list_keys("uploads") == before
    assert list(resources.settings.spool_dir.iterdir()) == []


UPSTREAM = "/api/courses/v0/import/course-v1:Org+Sample+2030/"


@pytest.mark.parametrize(("path", "code"), [(PATH, "missing_file"), (UPSTREAM, "internal_error")])
@pytest.mark.parametrize("sent", [{"files": {"other": ("a.tar.gz", ARCHIVE)}}, {"data": {"a": "b"}}, {}])
async def test_a_missing_file_has_upstreams_words(http, path, code, sent):
    answer = await http("POST", path, **sent)
    said = {"developer_message": "Missing required parameter", "error_code": code}
    assert (answer.status_code, answer.json()) == (400, said)


@pytest.mark.parametrize(("path", "code"), [(PATH, "wrong_format"), (UPSTREAM, "internal_error")])
async def test_a_misnamed_file_has_upstreams_words(http, path, code):
    answer = await http("POST", path, files={"course_data": ("a.rar", ARCHIVE)})
    said = {"developer_message": "Parameter in the wrong format", "error_code": code}
    assert (answer.status_code, answer.json()) == (400, said)


async def test_upstreams_address_takes_no_libraries(http):
    path = "/api/courses/v0/import/library-v1:Org+Sample/"
    assert (await http("POST", path, files={"course_data": ("a.tar.gz", ARCHIVE)})).status_code == 404
    assert (await http("GET", path, params={"task_id": "x", "filename": "a.tar.gz"})).status_code == 404


async def test_bad_options_are_named_one_by_one(http):
    answer = await http("POST", PATH, content=ARCHIVE, params={"links": "follow", "dry_run": "perhaps"})
    assert answer.status_code == 400
    assert set(answer.json()["field_errors"]) == {"links", "dry_run"}


async def test_provenance_goes_with_the_import(http, db):
    fields = {"source_repo": "https://git.test/c", "source_sha": "abc", "message": "Fix"}
    answer = await http("POST", PATH, files={"file": ("a.tgz", ARCHIVE)}, data=fields)
    job = await stored(http, db, answer)
    assert job["source"] == '{"sha": "abc", "repo": "https://git.test/c", "message": "Fix"}'


def test_the_query_stands_over_the_form():
    asked = read_import_request({"strict": "false", "links": "skip"}, {"strict": "1", "links": ""})
    assert (asked.strict, asked.links) == (True, "skip")


def test_an_overlong_text_is_refused():
    with pytest.raises(BadOptions):
        read_import_request({"message": "x" * 3000})


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"\0" * 257 + b"ustar\0", "tar")],
)
def test_kinds_of_archives_are_told_by_their_first_bytes(head, kind):
    assert kind_of(head) == kind


@pytest.mark.parametrize("head", [b"", b"BZh9", b"\xfd7zXZ", b"<html>", b"\0" * 512])
def test_other_bytes_are_no_archive(head):
    with pytest.raises(NotAnArchive):
        kind_of(head)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/a.tar.gz", "a.tar.gz"),
        ("C:\\x\\b.TGZ", "b.TGZ"),
        ("a\r\nb\x00.zip", "ab.zip"),
        ("курс.tar.gz", "курс.tar.gz"),
    ],
)
def test_only_the_printable_last_part_of_a_name_is_kept(given, kept):
    assert clean_filename(given) == kept


@pytest.mark.parametrize("given", ["a.tar", "a.tar.bz2", "tar.gz/", "targz"])
def test_other_names_are_refused(given):
    with pytest.raises(WrongFormat):
        clean_filename(given)
