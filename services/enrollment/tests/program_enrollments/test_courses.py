"""`programs/{uuid}/courses/{id}/enrollments/`: records, and what they mean for the learners' enrollments."""

import pytest

from common.testing.identity import a_caller

CURRICULUM = "00000000-1111-2222-3333-444444444444"
STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1/programs"
OPEN, OTHER = "course-v1:Org+Open+1", "course-v1:Org+Other+1"
INVALID = "invalid enrollment record"


def record(key, status="active", **more):
    return {"student_key": key, "status": status, **more}


class Programs:
    """Programs with keys in them, written through the API."""

    def __init__(self, client, world, db):
        self.client, self.world, self.db = client, world, db

    async def course(self, method, records, *, program=1, course=OPEN, **more):
        uuid = f"5b2c7a52-0d0f-4f43-8a3e-{program:012d}"
        return await self.client.send(
            method, f"{BASE}/{uuid}/courses/{course}/enrollments/", STAFF, json=records, **more
        )

    async def enroll(self, *keys, program=1):
        uuid = f"5b2c7a52-0d0f-4f43-8a3e-{program:012d}"
        records = [{"student_key": key, "status": "enrolled", "curriculum_uuid": CURRICULUM} for key in keys]
        answer = await self.client.send("POST", f"{BASE}/{uuid}/enrollments/", STAFF, json=records)
        assert answer.status_code == 201, answer.text

    async def stored(self):
        found = await self.db.fetch(
            "select e.external_user_key, c.status from program_course_enrollment c"
            " join program_enrollment e on e.id = c.program_enrollment_id order by c.id"
        )
        return [tuple(row) for row in found]


@pytest.fixture
async def programs(client, world, db):
    await world.course(OPEN)
    await world.course(OTHER)
    await world.program(1, OPEN, OTHER)
    made = Programs(client, world, db)
    await made.enroll("a", "b", "c")
    return made


REFUSED = {
    "an object": ({"student_key": "a"}, 422, INVALID),
    "no objects": (["a"], 422, INVALID),
    "26 records": ([record(f"k{n}") for n in range(26)], 413, "enrollment limit 25"),
    "no records": ([], 422, {}),
    "no key": ([record("a"), {"status": "active"}], 422, INVALID),
    "a list for a key": ([record(["a"])], 422, INVALID),
    "a blank key": ([record(" ")], 422, INVALID),
    "no status": ([{"student_key": "a"}], 422, INVALID),
    "a null status": ([record("a"), record("b", None)], 422, INVALID),
    "a null course_staff": ([record("a", course_staff=None)], 422, INVALID),
    "a text for course_staff": ([record("a", course_staff="yes")], 422, INVALID),
    "an unknown status": ([record("a", "enrolled")], 422, {"a": "invalid-status"}),
    "a bad status wins": ([record("a", "x", course_staff=None)], 422, {"a": "invalid-status"}),
    "a key that is in no program": ([record("z")], 422, {"z": "not-in-program"}),
    "a key twice": ([record("a"), record("A", "inactive")], 422, {"A": "duplicated"}),
    "a key twice, first of them broken": ([{"student_key": "a"}, record("a")], 422, INVALID),
}


async def test_refusals_store_nothing(programs):
    for case, (body, status, expected) in REFUSED.items():
        for method in ("POST", "PUT"):
            answer = await programs.course(method, body)
            assert (answer.status_code, answer.json()) == (status, expected), case
    assert await programs.stored() == []


# what was there, method, body, status, answer, what is there then
WRITTEN = {
    "both statuses": (
        [],
        "POST",
        [record("a"), record("B", "inactive")],
        200,
        {"a": "active", "B": "inactive"},
        [("a", "active"), ("b", "inactive")],
    ),
    "by the older name of the key": (
        [],
        "POST",
        [{"external_user_key": "a", "status": "active"}],
        200,
        {"a": "active"},
        [("a", "active")],
    ),
    "some of each": (
        [record("a")],
        "POST",
        [record("a"), record("b"), record("z"), record("c", "odd")],
        207,
        {"a": "conflict", "b": "active", "z": "not-in-program", "c": "invalid-status"},
        [("a", "active"), ("b", "active")],
    ),
    "PATCH": (
        [record("a"), record("b", "inactive")],
        "PATCH",
        [record("a", "inactive"), record("b", "inactive")],
        200,
        {"a": "inactive", "b": "inactive"},
        [("a", "inactive"), ("b", "inactive")],
    ),
    "PATCH of some": (
        [record("a")],
        "PATCH",
        [record("a", "inactive"), record("b"), record("z")],
        207,
        {"a": "inactive", "b": "not-found", "z": "not-in-program"},
        [("a", "inactive")],
    ),
    "PUT": (
        [record("a")],
        "PUT",
        [record("a", "inactive"), record("b")],
        200,
        {"a": "inactive", "b": "active"},
        [("a", "inactive"), ("b", "active")],
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
async def test_records_are_written(programs, case):
    before, method, body, status, expected, after = WRITTEN[case]
    if before:
        assert (await programs.course("POST", before)).status_code == 200
    answer = await programs.course(method, body)
    assert (answer.status_code, answer.json()) == (status, expected)
    assert await programs.stored() == after


@pytest.mark.parametrize(
    ("course", "status", "code"),
    [
        ("course-v1:Org+None+1", 404, "course_does_not_exist"),
        ("course-v1:Org+Out+1", 404, "course_not_in_program"),
        ("nonsense", 404, "invalid_course_key"),
        ("course-v1:Org+Open%00+1", 404, "invalid_course_key"),
        ("course-v1:Org Open 1", 404, "invalid_course_key"),
        ("course-v1:Org+Open+1/../x", 404, None),
        ("course-v1:Org%2BOpen%2B1", 200, None),
        ("Org/Open/1", 200, None),
    ],
)
async def test_the_course_is_looked_at_before_the_body(programs, world, course, status, code):
    await world.course("course-v1:Org+Out+1")
    answer = await programs.course("POST", [record("a")], course=course)
    assert answer.status_code == status, answer.text
    if code:
        assert answer.json()["error_code"] == code
    assert bool(await programs.stored()) == (status == 200)


async def test_membership_is_the_union_of_all_lists(client, world, db):
    keys = [f"course-v1:Org+M{number}+1" for number in range(6)]
    for key in keys:
        await world.course(key)

    def listed(*numbers):
        return [{"course_runs": [{"key": keys[number]} for number in numbers]}]

    await world.program(
        3,
        keys[0],
        curricula=[
            {"uuid": CURRICULUM, "is_active": False, "courses": listed(5)},
            {
                "uuid": CURRICULUM,
                "is_active": True,
                "courses": listed(1),
                "programs": [
                    {
                        "courses": listed(2),
                        "curricula": [
                            {"uuid": CURRICULUM, "is_active": True, "courses": listed(3)},
                            {"uuid": CURRICULUM, "is_active": True, "courses": listed(4)},
                        ],
                    }
                ],
            },
        ],
    )
    programs = Programs(client, world, db)
    codes = [(await programs.course("PUT", [record("x")], program=3, course=key)).status_code for key in keys]
    assert codes == [422, 422, 422, 422, 404, 404]


# the learner's enrollment before, the write that makes or changes the program's, and the enrollment after
CREATED = {
    "new": (None, "active", ("masters", True)),
    "new and inactive": (None, "inactive", ("masters", False)),
    "audit becomes masters": (("audit", True), "active", ("masters", True)),
    "honor becomes masters": (("honor", True), "active", ("masters", True)),
    "verified stays": (("verified", True), "active", ("verified", True)),
    "verified stays when inactive is written": (("verified", True), "inactive", ("verified", True)),
    "audit and inactive": (("audit", True), "inactive", ("masters", False)),
    "left before, comes back": (("audit", False), "active", ("masters", True)),
    "left verified, comes back": (("verified", False), "active", ("verified", True)),
}


@pytest.mark.parametrize("case", CREATED)
async def test_a_realised_key_is_enrolled(programs, world, case):
    before, status, after = CREATED[case]
    await world.account("grace")
    if before:
        await world.enrolled("grace", OPEN, before[0], is_active=before[1])
    await world.link(1, "grace", "a")
    assert (await programs.course("POST", [record("a", status)])).status_code == 200
    assert await world.state("grace") == after


@pytest.mark.parametrize(
    ("first", "then", "after"),
    [
        ("active", "inactive", ("masters", False)),
        ("inactive", "active", ("masters", True)),
        ("active", "active", ("masters", True)),
    ],
)
async def test_a_changed_status_changes_the_enrollment(programs, world, first, then, after):
    await world.account("grace")
    await world.link(1, "grace", "a")
    await programs.course("POST", [record("a", first)])
    assert (await programs.course("PATCH", [record("a", then)])).status_code == 200
    assert await world.state("grace") == after


async def test_no_check_of_the_course_stands_in_the_way(programs, world):
    await world.course(OPEN, capacity=0, max_enrollments=0, invitation_only=True, modes=())
    await world.account("grace")
    await world.link(1, "grace", "a")
    assert (await programs.course("POST", [record("a")])).json() == {"a": "active"}
    assert await world.state("grace") == ("masters", True)
    assert await world.taken(OPEN) == 1
    assert [e["changes"][0]["mode"] for e in await world.announced()] == ["masters"]
    [line] = await world.history()
    assert (line["source"], line["actor"]) == ("program", "registrar")


async def test_a_waiting_key_enrolls_nobody_until_it_is_linked(programs, world):
    await programs.course("POST", [record("a"), record("b", "inactive")])
    assert await world.history() == []
    await world.account("grace", "ada")
    await world.link(1, "grace", "A")
    await world.link(2, "ada", "b")
    assert (await world.state("grace"), await world.state("ada")) == (("masters", True), ("masters", False))


async def test_one_course_in_two_programs(programs, world):
    await world.program(2, OPEN)
    await programs.enroll("a", program=2)
    await world.account("grace")
    await world.link(1, "grace", "a")
    assert (await programs.course("POST", [record("a")])).json() == {"a": "active"}
    for method in ("POST", "PUT"):
        answer = await programs.course(method, [record("a"), record("nobody")], program=2)
        assert (answer.status_code, answer.json()) == (422, {"a": "conflict", "nobody": "not-in-program"})
    assert (await programs.course("POST", [record("a", "inactive")], program=2)).json() == {"a": "inactive"}
    # the other program's wish to leave does not take the learner out of this one's course
    assert await world.state("grace") == ("masters", True)
    assert (await programs.course("PATCH", [record("a", "inactive")], program=2)).json() == {"a": "inactive"}
    assert await world.state("grace") == ("masters", True)
    assert (await programs.course("PATCH", [record("a")], program=2)).json() == {"a": "conflict"}
    assert (await programs.course("PATCH", [record("a", "inactive")])).json() == {"a": "inactive"}
    assert await world.state("grace") == ("masters", False)
    assert (await programs.course("PATCH", [record("a")], program=2)).json() == {"a": "active"}
    assert await world.state("grace") == ("masters", True)


async def test_a_conflict_elsewhere_hides_that_the_key_is_not_in_the_program(programs, world):
    await world.program(2, OPEN)
    await programs.course("POST", [record("a")])
    answer = await programs.course("POST", [record("a")], program=2)
    assert (answer.status_code, answer.json()) == (422, {"a": "conflict"})


async def test_cancelling_the_program_leaves_its_courses(programs, client, world):
    await world.account("grace")
    await world.link(1, "grace", "a")
    await programs.course("POST", [record("a")])
    uuid = "5b2c7a52-0d0f-4f43-8a3e-000000000001"
    body = [{"student_key": "a", "status": "canceled"}]
    assert (await client.send("PATCH", f"{BASE}/{uuid}/enrollments/", STAFF, json=body)).status_code == 200
    assert await programs.stored() == [("a", "active")]
    assert await world.state("grace") == ("masters", True)


async def roles_asked(db):
    found = await db.fetch(
        "select convert_from(body, 'utf8')::jsonb ->> 'username' as name, convert_from(body, 'utf8')::jsonb ->> 'role'"
        " as role, exchange from outbox where type = 'content.set_course_role.v1' order by position"
    )
    return [tuple(row) for row in found]


async def test_course_staff_is_asked_for_by_command_and_waits_for_the_account(programs, client, world, db):
    commands = "lectern.commands"
    await world.account("grace", "ada", "mentor", "chief")
    for number, (name, key) in enumerate({"grace": "a", "mentor": "b", "chief": "c"}.items()):
        await world.link(number, name, key)
    await world.team(OPEN, "mentor", role="staff")
    await world.team(OPEN, "chief", role="instructor")
    await programs.enroll("d")
    await programs.course(
        "POST",
        [
            record("a", course_staff=True),
            record("b", course_staff=True),
            record("d", course_staff=True),
            record("c"),
            record("x", course_staff=True),
        ],
    )
    assert await roles_asked(db) == [("grace", "staff", commands)]
    url = f"{BASE}/5b2c7a52-0d0f-4f43-8a3e-000000000001/courses/{OPEN}/enrollments/?fields=course_staff"
    shown = (await client.send("GET", url, STAFF)).json()["results"]
    assert {one["student_key"]: one["course_staff"] for one in shown} == {"a": True, "b": True, "c": False, "d": True}
    await world.link(9, "ada", "d")
    assert await roles_asked(db) == [("grace", "staff", commands), ("ada", "staff", commands)]
    # an instructor is left one, a repeated wish is left alone, a role that is held is taken away
    await programs.course(
        "PATCH", [record("b", course_staff=False), record("c", course_staff=False), record("a", "inactive")]
    )
    assert (await roles_asked(db))[2:] == [("mentor", None, commands)]
