"""`programs/{uuid}/enrollments/`: who may, what is refused, and what each record comes to."""

import uuid

import pytest

from common.testing.identity import a_caller

CURRICULUM = "00000000-1111-2222-3333-444444444444"
OTHER = "00000001-1111-2222-3333-444444444444"
STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1/programs"
INVALID = "invalid enrollment record"


def record(key, status="enrolled", curriculum=CURRICULUM, name="student_key", **more):
    return {name: key, "status": status, "curriculum_uuid": curriculum, **more}


@pytest.fixture
async def program(world):
    return await world.program(1)


@pytest.fixture
def send(client, program):
    async def call(method, records, **more):
        return await client.send(method, f"{BASE}/{program}/enrollments/", STAFF, json=records, **more)

    return call


async def rows(db):
    found = await db.fetch("select external_user_key, status, user_id from program_enrollment order by id")
    return [tuple(row) for row in found]


# method, body, status, answer: nothing is stored by any of them
REFUSED = {
    "an object": ("POST", {"student_key": "a"}, 422, INVALID),
    "a text": ("POST", "a", 422, INVALID),
    "items that are no objects": ("POST", ["a", "b"], 422, INVALID),
    "a flat list of 78 texts is too long first": ("POST", ["a"] * 78, 413, "enrollment limit 25"),
    "26 records": ("POST", [record(f"k{n}") for n in range(26)], 413, "enrollment limit 25"),
    "26 records by PATCH": ("PATCH", [record(f"k{n}") for n in range(26)], 413, "enrollment limit 25"),
    "26 records by PUT": ("PUT", [record(f"k{n}") for n in range(26)], 413, "enrollment limit 25"),
    "no records": ("POST", [], 422, {}),
    "no records by PUT": ("PUT", [], 422, {}),
    "no key": ("POST", [record("good"), {"status": "enrolled", "curriculum_uuid": CURRICULUM}], 422, INVALID),
    "a null key": ("POST", [record(None)], 422, INVALID),
    "a blank key": ("POST", [record("  ")], 422, INVALID),
    "a boolean key": ("POST", [record(True)], 422, INVALID),
    "a list for a key": ("POST", [record(["a"])], 422, INVALID),
    "a key with a NUL": ("POST", [record("a\x00b")], 422, INVALID),
    "a key of 256 characters": ("POST", [record("k" * 256)], 422, INVALID),
    "two keys that differ": ("POST", [record("a", external_user_key="b")], 422, INVALID),
    "no status": ("POST", [{"student_key": "a", "curriculum_uuid": CURRICULUM}], 422, INVALID),
    "a null status": ("POST", [record("good"), record("a", None)], 422, INVALID),
    "no curriculum": ("POST", [{"student_key": "a", "status": "enrolled"}], 422, INVALID),
    "no curriculum by PUT": ("PUT", [{"student_key": "a", "status": "enrolled"}], 422, INVALID),
    "a bad curriculum": ("POST", [record("good"), record("a", curriculum="x")], 422, INVALID),
    "a number for a curriculum": ("POST", [record("a", curriculum=5)], 422, INVALID),
    "only unknown statuses": ("POST", [record("a", "happy")], 422, {"a": "invalid-status"}),
    "an empty status": ("POST", [record("a", "")], 422, {"a": "invalid-status"}),
    "a number for a status": ("POST", [record("a", 7)], 422, {"a": "invalid-status"}),
    "a bad status beats a bad curriculum": ("POST", [record("a", "x", curriculum="y")], 422, {"a": "invalid-status"}),
    "only repeated keys": ("POST", [record("a"), record("a")], 422, {"a": "duplicated"}),
    "keys that differ in case": ("POST", [record("ab"), record("AB")], 422, {"AB": "duplicated"}),
    "PATCH of an unknown key": ("PATCH", [record("nobody")], 422, {"nobody": "not-in-program"}),
}


async def test_refusals_store_nothing(send, db):
    for case, (method, body, status, expected) in REFUSED.items():
        answer = await send(method, body)
        assert (answer.status_code, answer.json()) == (status, expected), case
        assert answer.headers["content-type"] == "application/json"
    assert await rows(db) == []


# what was there, method, body, status, answer, what is there then
WRITTEN = {
    "every status, by both names of the key": (
        [],
        "POST",
        [
            record("1"),
            record("2", "pending", name="external_user_key"),
            record("3", "withdrawn"),
            record("4", "canceled"),
            record("5", "suspended"),
            record("6", "ended"),
        ],
        201,
        {"1": "enrolled", "2": "pending", "3": "withdrawn", "4": "canceled", "5": "suspended", "6": "ended"},
        [
            ("1", "enrolled"),
            ("2", "pending"),
            ("3", "withdrawn"),
            ("4", "canceled"),
            ("5", "suspended"),
            ("6", "ended"),
        ],
    ),
    "25 records": (
        [],
        "POST",
        [record(f"k{n}") for n in range(25)],
        201,
        {f"k{n}": "enrolled" for n in range(25)},
        [(f"k{n}", "enrolled") for n in range(25)],
    ),
    "both names alike, further fields": (
        [],
        "POST",
        [record("a", external_user_key="a", email="a@example.com")],
        201,
        {"a": "enrolled"},
        [("a", "enrolled")],
    ),
    "a number is its text": ([], "POST", [record(42)], 201, {"42": "enrolled"}, [("42", "enrolled")]),
    "some of each": (
        [record("old")],
        "POST",
        [record("new"), record("old"), record("odd", "happy"), record("twice"), record("twice")],
        207,
        {"new": "enrolled", "old": "conflict", "odd": "invalid-status", "twice": "duplicated"},
        [("old", "enrolled"), ("new", "enrolled")],
    ),
    "another case and another curriculum conflict": (
        [record("Key")],
        "POST",
        [record("KEY", curriculum=OTHER)],
        422,
        {"KEY": "conflict"},
        [("Key", "enrolled")],
    ),
    "composed and decomposed accents are one key": (
        [record("Zoe\u0301")],
        "POST",
        [record("Zo\u00e9")],
        422,
        {"Zo\u00e9": "conflict"},
        [("Zoe\u0301", "enrolled")],
    ),
    "PATCH changes the status only": (
        [record("a"), record("b")],
        "PATCH",
        [record("A", "canceled", curriculum="ignored"), {"student_key": "b", "status": "suspended"}],
        200,
        {"A": "canceled", "b": "suspended"},
        [("a", "canceled"), ("b", "suspended")],
    ),
    "PATCH of some": (
        [record("a"), record("b")],
        "PATCH",
        [record("a", "ended"), record("c"), record("b", "x")],
        207,
        {"a": "ended", "c": "not-in-program", "b": "invalid-status"},
        [("a", "ended"), ("b", "enrolled")],
    ),
    "a repeated key is left alone": (
        [record("a"), record("b")],
        "PATCH",
        [record("a", "ended"), record("b", "ended"), record("a", "canceled")],
        207,
        {"a": "duplicated", "b": "ended"},
        [("a", "enrolled"), ("b", "ended")],
    ),
    "PUT creates and changes": (
        [record("a")],
        "PUT",
        [record("a", "withdrawn", curriculum=OTHER), record("b", "pending")],
        200,
        {"a": "withdrawn", "b": "pending"},
        [("a", "withdrawn"), ("b", "pending")],
    ),
    "PUT of some": (
        [],
        "PUT",
        [record("a"), record("b", "none")],
        207,
        {"a": "enrolled", "b": "invalid-status"},
        [("a", "enrolled")],
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
async def test_records_are_written(send, db, case):
    before, method, body, status, expected, after = WRITTEN[case]
    if before:
        assert (await send("POST", before)).status_code == 201
    answer = await send(method, body)
    assert (answer.status_code, answer.json()) == (status, expected)
    assert [row[:2] for row in await rows(db)] == after
    assert await db.fetchval("select count(distinct curriculum_uuid) from program_enrollment") == 1


async def test_every_write_leaves_a_line_of_history(send, db):
    await send("POST", [record("a")])
    await send("PATCH", [record("a", "canceled")])
    lines = await db.fetch("select old_status, status, actor, source, version from program_history order by id")
    assert [tuple(line) for line in lines] == [
        (None, "enrolled", "registrar", "http", 1),
        ("enrolled", "canceled", "registrar", "http", 2),
    ]


async def test_a_key_in_two_curricula_is_chosen_by_name_or_by_the_last_change(send, db, program):
    await send("POST", [record("a")])
    await db.execute(
        "insert into program_enrollment (program_uuid, curriculum_uuid, external_user_key, folded, status, modified)"
        " values ($1, $2, 'a', 'a', 'pending', now() - interval '1 day')",
        program,
        OTHER,
    )

    async def statuses():
        found = await db.fetch("select curriculum_uuid::text, status from program_enrollment")
        return {row["curriculum_uuid"]: row["status"] for row in found}

    await send("PATCH", [{"student_key": "a", "status": "ended"}])
    assert await statuses() == {CURRICULUM: "ended", OTHER: "pending"}
    await send("PATCH", [record("a", "suspended", curriculum=OTHER)])
    assert await statuses() == {CURRICULUM: "ended", OTHER: "suspended"}


async def test_a_linked_key_is_realised_at_once(send, db, world):
    await world.account("grace", "ada")
    await world.link(1, "grace", "S-1")
    await world.link(2, "ada", "S-2", organization="Elsewhere")
    await send("POST", [record("s-1"), record("S-2"), record("S-3")])
    assert [row[2] is not None for row in await rows(db)] == [True, False, False]


async def test_an_account_is_in_a_curriculum_once(send, db, world):
    await world.account("grace")
    await world.link(1, "grace", "one")
    await world.link(2, "grace", "two")
    answer = await send("POST", [record("one"), record("two")])
    assert (answer.status_code, answer.json()) == (207, {"one": "enrolled", "two": "conflict"})
    answer = await send("POST", [record("two")])
    assert (answer.status_code, answer.json()) == (422, {"two": "conflict"})


async def test_a_program_without_organization_has_waiting_rows(client, world, db):
    program = await world.program(2, organization=None)
    answer = await client.send("POST", f"{BASE}/{program}/enrollments", STAFF, json=[record("a")])
    assert answer.status_code == 201
    assert await rows(db) == [("a", "enrolled", None)]


# path, method, caller, status, body (None: not looked at)
DOORS = {
    "anonymous": ("{p}/enrollments/", "POST", a_caller(None), 401, "Authentication credentials were not provided."),
    "a server's key is no user": ("{p}/enrollments/", "GET", a_caller(None, api_key=True), 401, None),
    "no staff": (
        "{p}/enrollments/",
        "POST",
        a_caller("alice"),
        403,
        "You do not have permission to perform this action.",
    ),
    "one's own name in the query opens nothing": (
        "{p}/enrollments/?username=alice",
        "GET",
        a_caller("alice"),
        403,
        None,
    ),
    "no staff, no such program": ("{u}/enrollments/", "POST", a_caller("alice"), 403, None),
    "no staff, courses": ("{p}/courses/course-v1:Org+Open+1/enrollments/", "PUT", a_caller("alice"), 403, None),
    "no staff, grades": ("{p}/courses/course-v1:Org+Open+1/grades/", "GET", a_caller("alice"), 403, None),
    "no staff, a method not served": ("{p}/enrollments/", "DELETE", a_caller("alice"), 403, None),
    "a method not served": ("{p}/enrollments/", "DELETE", STAFF, 405, 'Method "DELETE" not allowed.'),
    "no such program": ("{u}/enrollments/", "POST", STAFF, 404, "no program exists with given key"),
    "no uuid, but hexadecimal": ("123/enrollments/", "GET", STAFF, 404, "no program exists with given key"),
    "no route": ("xyz/enrollments/", "GET", STAFF, 404, "Not found."),
    "no JSON": ("{p}/enrollments/", "POST", STAFF, 400, None),
}


async def test_who_comes_in_and_how_refusals_look(client, program, db):
    for case, (path, method, caller, status, text) in DOORS.items():
        url = f"{BASE}/{path.format(p=program, u=uuid.uuid4())}"
        answer = await client.send(method, url, caller, content=b"{", headers={"content-type": "application/json"})
        assert answer.status_code == status, case
        said = answer.json()["developer_message"]
        assert text in (None, said), case
        if text == "no program exists with given key":
            assert answer.json()["error_code"] == "program_does_not_exist"
    assert await rows(db) == []


BODIES = {
    "nested too deep": (b"[" * 5000 + b"]" * 5000, 400),
    "cut short": (b'[{"student_key": "a"', 400),
    "trailing comma": (b"[1,]", 400),
    "NaN": (b'[{"student_key": NaN}]', 400),
    "half a surrogate pair": (b'[{"student_key": "\\ud800", "status": "enrolled"}]', 400),
    "UTF-16": ("[]".encode("utf-16"), 400),
    "nothing": (b"", 400),
    "1e999": (b'[{"student_key": "a", "status": "enrolled", "curriculum_uuid": 1e999}]', (400, 422)),
    "400 digits": (b'[{"student_key": ' + b"9" * 400 + b', "status": "enrolled"}]', (400, 422)),
    "the same name twice": (b'[{"student_key": "a", "student_key": 5, "status": 1}]', 422),
}


async def test_bad_json_is_refused_in_this_familys_shape(client, world, db):
    course = await world.course()
    program = await world.program(1, course)
    headers = {"content-type": "application/json"}
    for case, (body, status) in BODIES.items():
        for path in ("enrollments/", f"courses/{course}/enrollments/"):
            answer = await client.send("POST", f"{BASE}/{program}/{path}", STAFF, content=body, headers=headers)
            assert answer.status_code in (status if isinstance(status, tuple) else (status,)), case
            assert answer.status_code == 422 or "developer_message" in answer.json(), case
    assert await rows(db) == []


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/csv", "application/xml"])
async def test_only_json_is_read(send, media_type, db):
    answer = await send("POST", [record("a")], headers={"content-type": media_type})
    assert answer.status_code == 415
    assert media_type in answer.json()["developer_message"]
    assert await rows(db) == []
