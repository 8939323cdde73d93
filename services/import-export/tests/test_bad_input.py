"""Whatever is wrong with a request: the right status, the family's own shape, and nothing stored."""

import pytest

from common.errors import developer_message_style, problem_style
from common.testing.identity import a_caller
from import_export.app import ERRORS

COURSE = "course-v1:Org+Sample+2030"
ANONYMOUS = a_caller(None)
KEYS = [
    "nonsense",
    "course-v1:a+b",
    "course-v1:a+b+c/../x",
    "course-v1:a+b+c%00",
    "course-v1:a+b+c%0A",
    "course-v1:a b+c+d",
    "course-v1:" + "x" * 300 + "+b+c",
    "course-v1:a+b+%ED%A0%80",
    "a/b/c/d",
    "%2F%2F",
]
BY_COURSE = [
    ("POST", "/api/v0/import/{}"),
    ("PUT", "/api/v1/imports/{}"),
    ("POST", "/api/courses/v0/import/{}/"),
    ("GET", "/api/courses/v0/import/{}/"),
    ("GET", "/api/v0/export/{}"),
    ("HEAD", "/api/v0/export/{}"),
    ("POST", "/api/v1/exports/{}"),
    ("GET", "/api/courses/v1/validation/{}/"),
    ("GET", "/api/courses/v1/quality/{}/"),
    ("POST", "/import/{}"),
    ("POST", "/export/{}"),
    ("GET", "/export_status/{}"),
    ("GET", "/export_output/{}"),
    ("GET", "/import_status/{}/f.tar.gz"),
]
SHAPES = [
    ("/api/v1", {"type", "title", "status", "detail", "error_code", "request_id"}),
    ("/api", {"developer_message", "error_code"}),
    ("/import_status", {"error", "error_code"}),
    ("/import", {"ErrMsg", "Stage", "error", "error_code"}),
    ("/export", {"error", "error_code"}),
]


def shape(path):
    return next(keys for prefix, keys in SHAPES if path.startswith(prefix))


@pytest.fixture(autouse=True)
async def nothing_is_stored(db, resources):
    uploads = await resources.blobs.list_keys("uploads")
    yield
    for table in ("job", "outbox", "partial_upload", "idempotency_key"):
        assert await db.fetchval(f"select count(*) from {table}") == 0, table
    assert await resources.blobs.list_keys("uploads") == uploads
    assert list(resources.settings.spool_dir.iterdir()) == []


@pytest.mark.parametrize(("method", "template"), BY_COURSE)
async def test_what_is_no_course_is_not_found(http, method, template):
    for key in KEYS:
        path = template.format(key)
        answer = await http(method, path, content=b"x" if method in ("POST", "PUT") else None)
        assert answer.status_code == 404, (path, answer.text)
        assert method == "HEAD" or set(answer.json()) == shape(path), (path, answer.text)


@pytest.mark.parametrize(("method", "template"), BY_COURSE)
async def test_the_anonymous_are_asked_who_they_are(http, method, template):
    path = template.format(COURSE)
    answer = await http(method, path, ANONYMOUS)
    assert answer.status_code == 401, answer.text
    assert method == "HEAD" or set(answer.json()) == shape(path)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_other_methods_are_not_allowed_in_the_familys_words(http, method):
    for _, template in BY_COURSE:
        path = template.format(COURSE)
        answer = await http(method, path)
        assert (answer.status_code, set(answer.json())) == (405, shape(path)), path


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=0", 404),
        ("page=-1", 404),
        ("page=9223372036854775808", 404),
        ("page=%D9%A3", 404),
        ("page=1&page=x", 404),
        ("page_size=abc", 200),
        ("page_size=1000000000", 200),
        ("page=999999999999999999", 404),
        ("page=2", 404),
        ("course_id=nonsense", 404),
        ("course_id=%00", 404),
        ("course_id=course-v1:No+Such+Course", 404),
        ("kind=inspection", 400),
        ("kind[]=import", 200),
        ("state=%00", 400),
        ("archive_digest=%ED%A0%80", 200),
        ("created_after=9999-12-31T23:59:59-23:59", 400),
        ("created_before=2026-02-30", 400),
        ("format=" + "x" * 10_000, 200),
    ],
)
async def test_lists_take_bad_queries_for_what_they_are(http, query, status):
    for path in ("/api/v0/tasks", "/api/v1/imports"):
        answer = await http("GET", f"{path}?{query}")
        # the newer lists say the kind themselves
        expected = 200 if query.startswith("kind") and path.endswith("imports") else status
        assert answer.status_code == expected, (path, query, answer.text)


@pytest.mark.parametrize("task_id", ["x", "%00", "0" * 400, "{00000000-0000-0000-0000-000000000000}", "%ED%A0%80"])
async def test_what_is_no_task_is_not_found(http, task_id):
    for method, path in (
        ("GET", "/api/v0/tasks/{}"),
        ("POST", "/api/v0/tasks/{}/cancel"),
        ("GET", "/api/v0/tasks/{}/report"),
        ("GET", "/api/v1/imports/{}/report"),
        ("GET", "/api/tasks/v0/tasks/{}/"),
        ("POST", "/api/tasks/v0/tasks/{}/cancel/"),
        ("DELETE", "/api/tasks/v0/tasks/{}/"),
        ("GET", "/api/tasks/v0/artifacts/{}/"),
    ):
        assert (await http(method, path.format(task_id))).status_code == 404, path


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({"idempotency-key": "k" * 5000}, "", 400, "bad_idempotency_key"),
        ({"content-range": "bytes 0-9/99999999999999999999"}, "", 400, "bad_content_range"),
        ({"content-range": "x" * 5000}, "", 400, "bad_content_range"),
        ({"content-type": "text/plain"}, "", 415, "unsupported_upload"),
        ({"content-type": "application/x-tgz; charset=\x7f;;;="}, "filename=a.exe", 400, "wrong_format"),
        ({"content-type": "multipart/form-data; boundary="}, "", 400, "malformed_form"),
        ({"repr-digest": "sha-256=:@@@:"}, "", 400, "bad_checksum"),
        ({}, "filename=%00%0A.exe", 400, "wrong_format"),
        ({}, "dry_run=2", 400, "bad_options"),
        ({}, "source_sha=" + "x" * 2001, 400, "bad_options"),
        ({}, "message=%00", 400, "bad_options"),
        ({}, "busy=never", 400, "bad_options"),
    ],
)
async def test_bad_uploads(http, db, headers, query, status, code):
    sent = {"content-type": "application/x-tgz"} | headers
    for path in (f"/api/v0/import/{COURSE}", f"/import/{COURSE}"):
        answer = await http("POST", f"{path}?{query}", content=b"\x1f\x8b" + b"0" * 50, headers=sent)
        expected = 415 if path.startswith("/import") and code == "wrong_format" else status
        assert answer.status_code == expected, (path, answer.text)
        said = "unsupported_archive" if expected != status else code
        assert said == answer.json().get("error_code", "bad_options")
    # Studio's face keeps in mind that an upload of that name was refused
    await db.execute("delete from partial_upload where failed and total = 0")


async def test_every_family_has_a_style():
    assert ERRORS.of("/api/v1/imports/x") is problem_style
    assert ERRORS.of("/api/v0/import/x") is developer_message_style
