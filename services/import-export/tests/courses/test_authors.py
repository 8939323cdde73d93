import asyncio

import pytest
from sqlalchemy import text

from common import facts
from common.testing.identity import a_caller
from import_export.courses.operations import (
    AccountsFact,
    CourseDeleted,
    CourseFact,
    TeamFact,
    store_accounts,
    store_courses,
    store_deletions,
    store_teams,
)

COURSE = "course-v1:Org+Sample+2030"
STAFF = a_caller("staff", staff=True)
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)
ARCHIVE = b"\x1f\x8b" + b"0" * 100
CREATOR = a_caller("carol", grants=("Org.Sample",))
ELSEWHERE = a_caller("dave", grants=("Other",))


@pytest.mark.parametrize(
    ("caller", "exists", "status", "code"),
    [
        (STAFF, True, 202, None),
        (STAFF, False, 202, None),
        (AUTHOR, True, 202, None),
        (AUTHOR, False, 404, "course_does_not_exist"),
        (STRANGER, True, 403, "user_permissions"),
        (STRANGER, False, 404, "course_does_not_exist"),
        (CREATOR, True, 403, "user_permissions"),
        (CREATOR, False, 202, None),
        (ELSEWHERE, False, 404, "course_does_not_exist"),
        (a_caller("olga", org_roles=(("Org", "staff"),)), True, 202, None),
        (a_caller("olga", org_roles=(("Org", "instructor"),), active=False), True, 202, None),
        (a_caller("olga", org_roles=(("Org", "staff"),)), False, 404, "course_does_not_exist"),
        (a_caller("olga", org_roles=(("Other", "staff"),)), True, 403, "user_permissions"),
        (None, True, 401, "not_authenticated"),
    ],
)
async def test_authors_import_and_creators_create(http, db, caller, exists, status, code, add_course):
    if exists:
        await add_course()
    answer = await http.push(ARCHIVE, caller=caller or a_caller(None))
    assert (answer.status_code, answer.json().get("error_code")) == (status, code)


@pytest.mark.parametrize(("caller", "status"), [(STRANGER, 403), (a_caller(None), 401)])
async def test_exports_are_for_the_team(http, db, caller, status, add_course):
    await add_course()
    answer = await http("GET", f"/api/v0/export/{COURSE}", caller)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "course", ["nothing", "course-v1:a+b", "course-v1:a+b+c+d", "a/b", "course-v1:a%20b+c+d", "x" * 300]
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_what_is_no_key_is_no_course(http, course, method):
    path = f"/api/v0/{'import' if method == 'POST' else 'export'}/{course}"
    answer = await http(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "invalid_course_key")


@pytest.mark.parametrize("written", [COURSE, "Org/Sample/2030", "course-v1:Org%2BSample%2B2030", "Org%2FSample%2F2030"])
async def test_every_spelling_is_the_course_that_was_created_in_one(http, db, written, add_course):
    await add_course(spelling="Org/Sample/2030")
    answer = await http.push(ARCHIVE, written)
    task = await http.task(answer.json()["task_id"])
    assert task["course_id"] == "Org/Sample/2030"
    assert await db.fetchval("select course_id from job") == COURSE


async def test_a_course_just_announced_is_waited_for(patient_http, resources):
    asking = asyncio.create_task(patient_http.push(ARCHIVE, caller=AUTHOR))
    await asyncio.sleep(0.1)
    async with resources.sessions.begin() as session:
        await store_courses(session, [CourseFact(course_id=COURSE, spelling=COURSE, version=1)])
    async with resources.sessions.begin() as session:
        member = {"user_id": AUTHOR.user_id, "username": "alice", "role": "staff", "version": 1}
        await store_teams(session, [TeamFact.model_validate({"course_id": COURSE, "members": [member]})])
        await session.execute(text(facts.NOTIFY))
    assert (await asking).status_code == 202


async def test_the_newest_fact_stands_in_whatever_order_facts_come(resources, db):
    async def now():
        return await db.fetchrow("select version, deleted, draft_guid from course where course_id = $1", COURSE)

    async def heard(*facts):
        async with resources.sessions.begin() as session:
            for fact in facts:
                if isinstance(fact, CourseDeleted):
                    await store_deletions(session, [fact])
                else:
                    await store_courses(session, [fact])

    def course(version):
        return CourseFact(course_id=COURSE, spelling=COURSE, version=version, draft_guid=str(version))

    await heard(course(3), course(2))
    assert tuple(await now()) == (3, False, "3")
    await heard(CourseDeleted(course_id=COURSE, version=2))
    assert tuple(await now()) == (3, False, "3")
    await heard(CourseDeleted(course_id=COURSE, version=5), course(4))
    assert (await now())["deleted"]
    await heard(course(6))
    assert tuple(await now()) == (6, False, "6")


async def test_a_role_taken_away_is_gone(http, resources, db, add_course):
    await add_course()
    member = {"user_id": AUTHOR.user_id, "username": "alice", "role": "staff", "version": 2, "removed": True}
    async with resources.sessions.begin() as session:
        await store_teams(session, [TeamFact.model_validate({"course_id": COURSE, "members": [member]})])
    assert (await http.push(ARCHIVE, caller=AUTHOR)).status_code == 403


async def test_a_deactivated_account_has_no_roles_left(http, resources, add_course):
    await add_course()
    for version, active, status in ((1, True, 202), (3, False, 403), (2, True, 403), (4, True, 202)):
        user = {"user_id": AUTHOR.user_id, "username": "alice", "is_active": active, "version": version}
        async with resources.sessions.begin() as session:
            await store_accounts(session, [AccountsFact.model_validate({"users": [user]})])
        assert (await http.push(ARCHIVE, caller=AUTHOR)).status_code == status
