"""The short-term table of who may do what, cell by cell, over the real routes.

Each row is an operation, each letter a caller; a cell is tried on a course of its own, and a refused write must leave
no trace. 401 and 403 are refusals; asset reads refuse with 403 as upstream does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from common.testing.identity import a_caller

COURSE = "course-v1:Org+Demo+1"
BLOCK = "block-v1:Org+Demo+1+type@html+block@intro"
UNIT = "block-v1:Org+Demo+1+type@vertical+block@u1"
ASSET = "asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png"
LOCKED = "asset-v1:Org+Demo+1+type@asset+block@locked.txt"

CALLERS = {
    "AN": a_caller(None),
    "AU": a_caller("authenticated"),
    "EN": a_caller("enrolled"),
    "CS": a_caller("coursestaff"),
    "CI": a_caller("instructor"),
    "CC": a_caller("creator", grants=("Org",)),
    "GS": a_caller("global", staff=True),
}


@dataclass(frozen=True)
class Operation:
    """One request; `allowed` are the callers of the table's row that may make it."""

    name: str
    method: str
    url: str
    allowed: str
    body: object = None
    page: bool = False
    form: bool = False


EVERYBODY = "AN AU EN CS CI CC GS"
TEAM = "CS CI GS"
NEW = {"org": "Org", "number": "New", "run": "1", "display_name": "New"}
TICKS = {"items": [{"is_checked": True}] * 4}
OPERATIONS = (
    Operation("list courses", "GET", "/course", EVERYBODY),
    Operation("list courses, as a page", "GET", "/course", EVERYBODY, page=True),
    Operation("read course info", "GET", f"/course/{COURSE}", EVERYBODY),
    Operation("read course info, as a page", "GET", f"/course/{COURSE}", EVERYBODY, page=True),
    Operation("create a course", "POST", "/course", "CC GS", NEW),
    Operation("create a course on our path", "POST", "/api/content/v1/course", "CC GS", NEW),
    Operation("create a library", "POST", "/api/content/v1/libraries", "CC GS", {**NEW, "library": "Lib"}),
    Operation("delete a course", "DELETE", f"/course/{COURSE}", "CC GS"),
    Operation("delete a course on our path", "DELETE", f"/api/content/v1/course/{COURSE}", "CC GS"),
    Operation("rename a course", "PUT", f"/course/{COURSE}", TEAM, {"display_name": "Renamed"}),
    Operation("date a course", "PATCH", f"/api/content/v1/course/{COURSE}", TEAM, {"start": "2021-01-01"}),
    Operation("market a course", "PATCH", f"/course/{COURSE}", TEAM, {"about": {"effort": "none"}}),
    Operation("read a block", "GET", f"/xblock/{BLOCK}", "EN CS CI GS"),
    Operation("read a block by its address of 2013", "GET", "/xblock/Org.Demo.1/branch/published/block/intro",
              "EN CS CI GS"),
    Operation("read a block, as a page", "GET", f"/xblock/{BLOCK}", "EN CS CI GS", page=True),
    Operation("read an item", "GET", "/item/Org.Demo.1/branch/published/block/u1", "EN CS CI GS"),
    Operation("create a block", "POST", "/xblock/", TEAM, {"parent_locator": UNIT, "category": "html"}),
    Operation("create a block, REST", "POST", f"/api/contentstore/v0/xblock/{COURSE}", TEAM,
              {"parent_locator": UNIT, "category": "html"}),
    Operation("update a block", "PUT", f"/xblock/{BLOCK}", TEAM, {"data": "<p>new</p>"}),
    Operation("update a block, REST", "PATCH", f"/api/contentstore/v0/xblock/{COURSE}/{BLOCK}", TEAM,
              {"metadata": {"display_name": "New"}}),
    Operation("delete a block", "DELETE", f"/xblock/{BLOCK}", TEAM),
    Operation("delete a block, REST", "DELETE", f"/api/contentstore/v0/xblock/{COURSE}/{BLOCK}", TEAM),
    Operation("write a detached block", "PUT", "/xblock/block-v1:Org+Demo+1+type@static_tab+block@syllabus", TEAM,
              {"data": "<p>new</p>"}),
    Operation("read an unlocked asset", "GET", f"/{ASSET}", EVERYBODY),
    Operation("read a locked asset", "GET", f"/{LOCKED}", "EN CS CI GS"),
    Operation("upload an asset", "POST", f"/assets/{COURSE}", TEAM, form=True),
    Operation("upload an asset, REST", "POST", f"/api/contentstore/v0/file_assets/{COURSE}", TEAM, form=True),
    Operation("lock an asset", "PUT", f"/assets/{COURSE}/{ASSET}", TEAM, {"locked": True}),
    Operation("unlock an asset", "POST", f"/assets/{COURSE}/{LOCKED}", TEAM, {"locked": False}),
    Operation("delete an asset", "DELETE", f"/assets/{COURSE}/{ASSET}", TEAM),
    Operation("list assets", "GET", f"/assets/{COURSE}", TEAM),
    Operation("read checklists", "GET", f"/checklists/{COURSE}", TEAM),
    Operation("tick a checklist", "PUT", f"/checklists/{COURSE}/0", TEAM, TICKS),
    Operation("read the team", "GET", f"/api/content/v1/course_team/{COURSE}", TEAM),
    Operation("add to the team", "PUT", f"/api/content/v1/course_team/{COURSE}/authenticated", "CI GS",
              {"role": "staff"}),
    Operation("take from the team", "DELETE", f"/api/content/v1/course_team/{COURSE}/coursestaff", "CI GS"),
    Operation("read history", "GET", f"/api/content/v1/history/{COURSE}", TEAM),
)  # fmt: skip


@pytest.fixture
async def world(client, bus, a_draft) -> Callable[..., Awaitable[object]]:
    """A course with a team, a learner and a locked file."""
    draft = a_draft()
    draft.asset("locked.txt", b"locked", content_type="text/plain", locked=True)
    await bus.import_course(draft, by=CALLERS["GS"])
    await bus.account(*(caller for caller in CALLERS.values() if caller.username))
    for who, role in (("CS", "staff"), ("CI", "instructor")):
        url = f"/api/content/v1/course_team/{COURSE}/{CALLERS[who].username}"
        answer = await client.request("PUT", url, CALLERS["GS"], json={"role": role})
        assert answer.status_code == 200
    await bus.enroll(CALLERS["EN"])

    async def ask(operation: Operation, who: str):
        headers = {"Accept": "text/html"} if operation.page else {}
        options: dict[str, object] = {"headers": headers}
        if operation.form:
            options["files"] = {"file": ("new.txt", b"new", "text/plain")}
        elif operation.body is not None:
            options["json"] = operation.body
        return await client.request(operation.method, operation.url, CALLERS[who], **options)

    return ask


async def trace(bus) -> tuple[object, ...]:
    """What a write leaves behind."""
    counts = ("version", "course", "course_team", "checklist_item", "outbox", "asset_claim")
    return tuple([await bus.resources.pool.fetchval(f"select count(*) from {table}") for table in counts])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_the_short_term_table(bus, world, operation):
    """All refusals first, on one course, which must be untouched by them; then each caller who may, whose write must
    have an effect the first time."""
    allowed = operation.allowed.split()
    before = await trace(bus)
    for who in CALLERS:
        if who in allowed:
            continue
        answer = await world(operation, who)
        wanted = (302, 401, 403) if who == "AN" else (403,)
        assert answer.status_code in wanted, f"{who}: {answer.status_code} {answer.text}"
    assert await trace(bus) == before
    effects = []
    for who in allowed:
        answer = await world(operation, who)
        # what the first has deleted or made, the next finds gone or there: they may, and are told so
        assert answer.status_code in (200, 201, 204, 404, 409), f"{who}: {answer.status_code} {answer.text}"
        effects.append(answer.status_code)
    assert effects[0] in (200, 201, 204)
    if operation.method == "GET":
        assert set(effects) == {200}
        assert await trace(bus) == before
    else:
        assert await trace(bus) != before


@pytest.mark.parametrize(
    ("grant", "org", "number", "status"),
    [
        ("UTCx", "UTCx", "anything", 200),
        ("UTCx.chem", "UTCx", "chem", 200),
        ("UTCx.chem", "UTCx", "chem.101", 200),
        ("UTCx.chem", "UTCx", "chemistry", 403),
        ("UTCx.chem", "UTCx", "bio", 403),
        ("UTCx.chem", "UTCx.chem", "101", 200),
        ("UTCx", "UTCx.chem", "101", 200),
        ("UTCx.chem.organic", "UTCx", "chem", 403),
        ("UTC", "UTCx", "1", 403),
        ("utcx", "UTCx", "1", 403),
    ],
)
async def test_a_grant_is_good_for_its_designation_and_below(client, bus, grant, org, number, status):
    caller = a_caller("delegate", grants=(grant,))
    body = {"org": org, "number": number, "run": "1", "display_name": "X"}
    answer = await client.post("/course", caller, json=body)
    assert answer.status_code == status
    if status == 200:
        outsider = a_caller("outsider", grants=("Other",))
        course = answer.json()["course_key"]
        assert (await client.request("DELETE", f"/course/{course}", outsider)).status_code == 403
        assert (await client.request("DELETE", f"/course/{course}", caller)).status_code == 204


@pytest.mark.parametrize("who", ["CS", "CI"])
async def test_course_roles_count_only_while_the_account_is_active(world, client, who):
    gone = a_caller(CALLERS[who].username, active=False)
    for method, url, body in (
        ("PUT", f"/course/{COURSE}", {"display_name": "X"}),
        ("PUT", f"/xblock/{BLOCK}", {"data": "x"}),
        ("GET", f"/assets/{COURSE}", None),
        ("GET", f"/checklists/{COURSE}", None),
    ):
        assert (await client.request(method, url, gone, json=body)).status_code == 403, url


async def test_a_creator_on_the_team_has_the_teams_rights(world, client):
    both = a_caller(CALLERS["CS"].username, grants=("Org",))
    assert (await client.request("PUT", f"/course/{COURSE}", both, json={"display_name": "X"})).status_code == 200
    assert (await client.request("DELETE", f"/course/{COURSE}", both)).status_code == 204
