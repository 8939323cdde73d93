"""A stranger's client walks the catalogue; a projection is rebuilt while courses change."""

import asyncio
import uuid

import asyncpg
import pytest
from api import Client, new_user
from edx_api.client import EdxApi


def run_id() -> str:
    return uuid.uuid4().hex[:8]


async def make_course(admin: Client, org: str, number: str, **fields) -> str:
    body = {"org": org, "number": number, "run": "R", "display_name": f"Course {number}", **fields}
    answer = await admin.post("/course", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["course_key"]


async def until(check, *, what: str, seconds: float = 20) -> None:
    for _ in range(int(seconds / 0.1)):
        if await check():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {what} within {seconds} s")


async def listed(client: Client, org: str) -> list[str]:
    body = await client.json(f"/api/courses/v1/courses/?org={org}&page_size=100&username={client.username}")
    return [course["id"] for course in body["results"]]


@pytest.fixture
def edx(system, admin) -> EdxApi:
    """mitodl's edx-api-client: it knows nothing of us."""
    return EdxApi({"access_token": admin.token}, base_url=system.base_url)


async def test_edx_api_client_walks_list_filters_detail_and_modes(admin, edx):
    org = f"Walk{run_id()}"
    keys = [await make_course(admin, org, f"N{number}", start="2020-01-01T00:00:00Z") for number in range(3)]
    ended = await make_course(admin, org, "Old", start="2019-01-01T00:00:00Z", end="2020-01-01T00:00:00Z")

    async def all_there() -> bool:
        return len(await listed(admin, org)) == 4

    await until(all_there, what="list of four courses")

    def walk() -> None:
        courses = edx.course_list
        me = {"username": admin.username}
        assert [course.course_id for course in courses.get_courses(org=org, **me)] == sorted([*keys, ended])
        assert [c.course_id for c in courses.get_courses(org=org.lower(), active_only=True, **me)] == sorted(keys)
        assert [c.course_id for c in courses.get_courses(course_keys=[keys[1], ended])] == sorted([keys[1], ended])
        assert [c.course_id for c in courses.get_courses(search_term=f"{org} n2", **me)] == [keys[2]]
        detail = edx.course_detail.get_detail(keys[0], username=admin.username)
        assert (detail.course_id, detail.name, detail.org) == (keys[0], "Course N0", org)
        assert detail.start.year == 2020
        assert {media.type for media in detail.media} >= {"course_image", "course_video"}
        modes = edx.course_mode
        assert modes.get_course_modes(keys[0]) == []
        made = modes.create_course_mode(keys[0], "verified", "Verified", "USD", min_price=49)
        assert (made.mode_slug, made.min_price, made.currency) == ("verified", 49, "usd")
        modes.update_course_mode(keys[0], "verified", min_price=60, expiration_datetime="2031-01-01T00:00:00Z")
        again = modes.get_course_mode(keys[0], "verified")
        assert (again.min_price, again.expiration_datetime.year, again.expiration_datetime_is_explicit) == (
            60,
            2031,
            True,
        )
        assert [mode.mode_slug for mode in modes.get_course_modes(keys[0])] == ["verified"]

    await asyncio.to_thread(walk)

    async def enrollment_knows() -> bool:
        details = await admin.json(f"/api/enrollment/v1/course/{keys[0]}")
        return [(mode["slug"], mode["min_price"]) for mode in details["course_modes"]] == [("verified", 60)]

    await until(enrollment_knows, what="mode in the enrollment API")
    await asyncio.to_thread(edx.course_mode.delete_course_mode, keys[0], "verified")
    assert await asyncio.to_thread(edx.course_mode.get_course_modes, keys[0]) == []


async def test_a_rebuild_under_live_traffic_loses_nothing(admin, http):
    """Courses are made and hidden while content says everything again; the list has each of them at the end."""
    org = f"Live{run_id()}"
    first = [await make_course(admin, org, f"A{number}", start="2020-01-01T00:00:00Z") for number in range(5)]

    async def all_there() -> bool:
        return await listed(admin, org) == sorted(first)

    await until(all_there, what="list of the first courses")
    modes = f"/api/course_modes/v1/courses/{first[0]}"
    body = {"course_id": first[0], "mode_slug": "honor", "mode_display_name": "Honor", "currency": "usd"}
    assert (await admin.post(f"{modes}/", json=body)).status_code == 201
    rebuilds = "/api/operations/v1/course-catalog/rebuilds"
    learner = await new_user(admin, f"u{run_id()}")
    assert (await learner.post(f"{rebuilds}/content")).status_code == 403
    assert (await admin.post(f"{rebuilds}/nobody")).status_code == 404
    for owner in ("content", "gateway"):
        answer = await admin.post(f"{rebuilds}/{owner}")
        assert answer.status_code == 202, answer.text
    during = [await make_course(admin, org, f"B{number}", start="2020-01-01T00:00:00Z") for number in range(5)]

    async def finished() -> bool:
        found = (await admin.json(rebuilds))["results"]
        return len(found) == 2 and all(each["finished_at"] for each in found)

    await until(finished, what="end of the rebuilds", seconds=60)

    async def everything() -> bool:
        return await listed(admin, org) == sorted([*first, *during])

    await until(everything, what="list of all courses")
    assert [mode["mode_slug"] for mode in await admin.json(modes)] == ["honor"]
    view = await admin.json(f"/api/courses/v1/courses/?org={org}&username={learner.username}")
    assert view["pagination"]["count"] == 10


LOSE = """
with lost as (delete from course_document where course_key like $1 || 'Lost+%' returning course_key),
  unsearched as (delete from course_search s using lost where s.course_key = lost.course_key)
delete from course c using lost where c.course_key = lost.course_key"""
INVENT = """
with made as (
  insert into course (course_key, pos, content_version, start_at, org)
  select $1 || 'Ghost+R', max(pos) + 1000, 1, '2020-01-01', $2 from course returning course_key, pos)
insert into course_document (course_key, pos, spelling, item)
select course_key, pos, course_key, '{"id":"ghost"}' from made"""
HIDE = "update course set visible_to_staff_only = true where course_key like $1 || 'Hidden+%'"


async def test_the_command_rebuilds_a_damaged_catalogue_while_courses_change(system, admin, credentials):
    """A backup of yesterday: one course is lost, one was never there, one is hidden; the command makes it right."""
    org = f"Again{run_id()}"
    started = {"start": "2020-01-01T00:00:00Z"}
    names = [*(f"N{number}" for number in range(4)), "Lost", "Hidden"]
    keys = [await make_course(admin, org, name, **started) for name in names]
    url = f"/api/courses/v1/courses/?org={org}&page_size=100"

    async def seen() -> list[str]:
        return [course["id"] for course in (await admin.json(url))["results"]]

    async def all_there() -> bool:
        return await seen() == sorted(keys)

    await until(all_there, what="list of the courses")
    prefix = f"course-v1:{org}+"
    database = await asyncpg.connect(credentials["databases"]["course-catalog"])
    try:
        await database.execute(LOSE, prefix)
        await database.execute(INVENT, prefix, org.lower())
        await database.execute(HIDE, prefix)
        await database.execute("update catalogue_state set rev = rev + 1, epoch = epoch + 1")
    finally:
        await database.close()
    stayed = set(keys[:4])
    assert set(await seen()) == stayed | {"ghost"}
    during: list[str] = []
    over = asyncio.Event()

    async def traffic() -> None:
        while not over.is_set() and len(during) < 60:
            during.append(await make_course(admin, org, f"Live{len(during)}", **started))

    async def reading() -> None:
        while not over.is_set():
            assert stayed <= set(await seen()), "a course that was right all along was gone for a moment"

    busy = asyncio.gather(traffic(), reading())
    command = system.spawn("course-catalog", "reproject", label="reproject")
    try:
        assert await asyncio.to_thread(command.wait, 60), command.log_tail()
        assert command.returncode == 0, command.log_tail()
        assert "Rebuilt: content, gateway." in command.log.read_text()
    finally:
        over.set()
        await busy
        system.stop("reproject")

    async def made_right() -> bool:
        return await seen() == sorted([*keys, *during])

    await until(made_right, what="list of all courses")
    assert during
    strange = system.spawn("course-catalog", "reproject", "nobody", label="reproject")
    try:
        assert await asyncio.to_thread(strange.wait, 60)
        assert (strange.returncode, "There is no projection of nobody" in strange.log_tail()) == (2, True)
    finally:
        system.stop("reproject")
