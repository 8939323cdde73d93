import orjson

from common.testing.identity import a_caller
from import_export.courses.operations import AccountsFact, store_accounts
from import_export.courses.retirement import RetiredFact, retire_accounts

COURSE = "course-v1:Org+Sample+2030"
AUTHOR = a_caller("alice", user_id=7)
RETIRED = RetiredFact.model_validate(
    {"users": [{"user_id": 7, "former_username": "alice", "username": "retired__user_1", "version": 5}]}
)


async def test_a_retired_persons_name_is_replaced_everywhere(http, db, resources, archive, add_course):
    await add_course()
    ended = (await http.push(archive, caller=AUTHOR)).json()["task_id"]
    command = orjson.dumps({"requested_by": {"username": "alice"}}).decode()
    await db.execute("update job set phase = 'done', command = $1::jsonb", command)
    asked = (await http.push(archive, caller=AUTHOR)).json()["task_id"]
    await db.execute("update job set phase = 'asked', command = $1::jsonb where id = $2", command, asked)
    headers = {"content-type": "application/x-tgz", "content-range": "bytes 0-9/100"}
    await http("POST", f"/api/v0/import/{COURSE}", AUTHOR, content=b"x" * 10, headers=headers)
    for _ in range(2):
        async with resources.sessions.begin() as session:
            await retire_accounts(session, [RETIRED])
    async with resources.sessions.begin() as session:
        older = {"user_id": 7, "username": "alice", "is_active": True, "version": 4}
        await store_accounts(session, [AccountsFact.model_validate({"users": [older]})])
    for query in (
        "select requested_by ->> 'username' from job",
        "select username from course_team",
        "select username from account",
        "select requester from partial_upload",
    ):
        assert {row[0] for row in await db.fetch(query)} == {"retired__user_1"}, query
    assert await db.fetchval("select command from job where id = $1", ended) is None
    assert orjson.loads(await db.fetchval("select command from job where id = $1", asked)) == orjson.loads(command)
    answer = await http("GET", f"/api/v0/export/{COURSE}", AUTHOR)
    assert answer.status_code == 403
