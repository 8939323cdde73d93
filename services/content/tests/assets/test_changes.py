"""Locking and deleting files, and who may."""

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
STUDIO, V0, OWN = (
    f"{prefix}course-v1:Org+Demo+1"
    for prefix in ("/assets/", "/api/contentstore/v0/file_assets/", "/api/content/v1/assets/")
)
KEY = "asset-v1:Org+Demo+1+type@asset+block@"


@pytest.fixture
async def course(bus, a_draft):
    draft = a_draft()
    draft.asset("a.txt", b"hello", content_type="text/plain", import_path="deep/a.txt")
    await bus.import_course(draft)
    return draft


async def settings(bus) -> list[dict]:
    rows = await bus.resources.pool.fetch(
        "select settings from block where block_id = '$asset@a.txt' and to_version is null"
    )
    return [row["settings"] for row in rows]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "path", [f"{STUDIO}/a.txt", f"{STUDIO}/a.txt/", f"{STUDIO}/{KEY}a.txt", f"/assets/Org/Demo/1/{KEY}a.txt",
             "/assets/Org.Demo.1/a.txt", f"{STUDIO}//c4x/Org/Demo/asset/a.txt", f"{OWN}/a.txt"],
)  # fmt: skip
async def test_a_file_is_locked_and_nothing_else_of_it_changes(client, bus, course, method, path):
    before = await settings(bus)
    body = {"locked": True, "display_name": "ignored"}
    answer = await client.request(method, path, ADMIN, json=body)
    assert (answer.status_code, answer.json()) == (201, body)
    assert await settings(bus) == [said | {"locked": True} for said in before]
    assert (await client.get(f"/{KEY}a.txt")).status_code == 403
    await client.request(method, path, ADMIN, json={"locked": False})
    assert (await client.get(f"/{KEY}a.txt")).status_code == 200


async def test_locking_what_is_locked_makes_no_version(client, bus, course):
    first = await client.request("PUT", f"{V0}/a.txt", ADMIN, json={"locked": True})
    again = await client.request("PUT", f"{V0}/a.txt", ADMIN, json={"locked": True})
    assert (again.status_code, again.headers["etag"]) == (201, first.headers["etag"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not JSON"),
        (b"", "locked"),
        (b"{}", "locked"),
        (b'{"locked": 1}', "locked"),
        (b'{"locked": "true"}', "locked"),
        (b'{"locked": null}', "locked"),
        (b'{"locked": true, "x": "\\u0000"}', "JSON"),
        (b"[" * 100_000, "JSON"),
    ],
)
async def test_a_body_that_is_no_lock_is_refused(client, bus, course, body, said):
    before = await settings(bus)
    for path in (f"{STUDIO}/a.txt", f"{V0}/a.txt", f"{OWN}/a.txt"):
        answer = await client.request("PUT", path, ADMIN, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        assert said in answer.text
    assert await settings(bus) == before


async def test_rest_bodies_are_strict(client, course):
    answer = await client.request("PUT", f"{V0}/a.txt", ADMIN, json={"locked": True, "colour": "red"})
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "developer_message": "colour: This field is not expected.",
            "error": "colour: This field is not expected.",
            "field_errors": {"colour": {"developer_message": "This field is not expected."}},
        },
    )
    other = await client.request("PUT", f"{V0}/a.txt", ADMIN, content=b"x", headers={"Content-Type": "text/plain"})
    assert other.status_code == 415


@pytest.mark.parametrize("base", [STUDIO, V0, OWN])
async def test_a_deleted_file_is_gone_and_older_versions_keep_it(client, bus, course, base):
    digest = course.assets["a.txt"]["digest"]
    answer = await client.request("DELETE", f"{base}/a.txt", ADMIN)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(f"/{KEY}a.txt")).status_code == 404
    assert await settings(bus) == []
    assert digest in (await bus.resources.pool.fetchval("select string_agg(settings ->> 'digest', ' ') from block"))
    again = await client.request("DELETE", f"{base}/a.txt", ADMIN)
    assert (again.status_code, again.content) == (404, b"")
    assert (await client.request("DELETE", base, ADMIN)).status_code == 400


@pytest.mark.parametrize("base", [STUDIO, V0, OWN])
async def test_a_file_that_is_not_there_cannot_be_locked(client, course, base):
    answer = await client.request("PUT", f"{base}/none.txt", ADMIN, json={"locked": True})
    assert answer.status_code == 404


async def test_a_stale_change_is_refused(client, course):
    now = await client.request("PUT", f"{STUDIO}/a.txt", ADMIN, json={"locked": True})
    stale = {"If-Match": f'"{"0" * 24}"'}
    for method, options in (("PUT", {"json": {"locked": False}}), ("DELETE", {})):
        answer = await client.request(method, f"{STUDIO}/a.txt", ADMIN, headers=stale, **options)
        assert (answer.status_code, f'"{answer.json()["current_version"]}"') == (412, now.headers["etag"])


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401), ("stranger", 403), ("learner", 403), ("creator", 403),
        ("member", 201), ("instructor", 201), ("inactive", 403), ("org staff", 201), ("global staff", 201),
    ],
)  # fmt: skip
async def test_the_team_changes_files_and_nobody_else(client, bus, course, who, status):
    callers = {
        "anonymous": None,
        "creator": a_caller("creator", grants=("Org",)),
        "inactive": a_caller("inactive", active=False),
        "org staff": a_caller("org", org_roles=(("Org", "staff"),)),
        "global staff": ADMIN,
    }
    caller = callers[who] if who in callers else a_caller(who)
    if who == "learner":
        await bus.enroll(caller)
    if who in ("member", "instructor", "inactive"):
        role = "instructor" if who == "instructor" else "staff"
        await bus.resources.pool.execute(
            "insert into course_team (course_key, user_id, username, role, version) values ($1, $2, $3, $4, 9)",
            "course-v1:Org+Demo+1", caller.user_id, caller.username, role,
        )  # fmt: skip
    for base in (STUDIO, V0, OWN):
        answer = await client.request("PUT", f"{base}/a.txt", caller, json={"locked": True})
        assert answer.status_code == status
        gone = await client.request("DELETE", f"{base}/none.txt", caller)
        assert gone.status_code == (404 if status == 201 else status)


@pytest.mark.parametrize("accept", ["text/html", "image/png"])
async def test_studio_writes_are_json_only(client, course, accept):
    answer = await client.request("PUT", f"{STUDIO}/a.txt", ADMIN, json={"locked": True}, headers={"Accept": accept})
    assert answer.status_code == 404
    assert (await client.get(f"/{KEY}a.txt")).status_code == 200


async def test_what_draft_pages_show_is_served_before_it_is_published(client, bus, course):
    """An import of drafts alone leaves the published branch as it was."""
    await bus.resources.pool.execute(
        "delete from block where block_id = '$asset@a.txt' "
        "and branch_id = (select id from branch where name = 'published')"
    )
    assert (await client.get(f"/{KEY}a.txt")).content == b"hello"
    assert (await client.request("PUT", f"{STUDIO}/a.txt", ADMIN, json={"locked": True})).status_code == 201
    assert len(await settings(bus)) == 2
