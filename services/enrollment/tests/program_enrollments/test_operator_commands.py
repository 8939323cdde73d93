"""What an operator runs: linking by hand, reset, expiry."""

import asyncio
import io
import os
import sys
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import structlog

from common.testing.identity import a_caller
from enrollment.app import SERVICE
from enrollment.commands.batches import carry_out
from enrollment.commands.schemas import read_command

CURRICULUM, OTHER = "00000000-1111-2222-3333-444444444444", "00000001-1111-2222-3333-444444444444"
OPEN = "course-v1:Org+Open+1"
ONE, TWO = "5b2c7a52-0d0f-4f43-8a3e-000000000001", "5b2c7a52-0d0f-4f43-8a3e-000000000002"
ACTOR = "python -m enrollment link-program-learners"


@pytest.fixture
def run(resources, db, capsys, monkeypatch):
    """Run a command; its exit code, and what it wrote to standard output and to standard error."""

    async def call(command, *words, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        with structlog.testing.capture_logs() as lines:
            code = await SERVICE.commands[command](resources, words)
        # keys are personal, and logs are kept elsewhere
        assert "k1" not in str(lines)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def run_process(resources, keys, db):
    """The same as an operator does it."""
    settings = resources.settings
    environment = {
        "LECTERN_DATABASE_URL": settings.database_url.get_secret_value(),
        "LECTERN_AMQP_URL": settings.amqp_url.get_secret_value(),
        "LECTERN_BLOBS_URL": settings.blobs_url,
        "LECTERN_INTERNAL_PUBLIC_KEY": keys.public,
        "LECTERN_TOPOLOGY_FILE": str(settings.topology_file),
        "LECTERN_HTTP_PORT": "0",
        "LECTERN_LOG_LEVEL": "error",
        "PATH": os.environ["PATH"],
    }

    async def call(*words, typed=""):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "enrollment", *words),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate(typed.encode())
        return process.returncode, out.decode(), error.decode()

    return call


@pytest.fixture
async def put(put_keys, world):
    await world.course(OPEN)
    await world.account("grace", "ada")
    for number in (1, 2):
        await world.program(number, OPEN)

    async def write(*keys, program=ONE, status="active"):
        await put_keys(program, *keys, status=status)

    return write


@pytest.fixture
def send_command(db):
    async def send(item):
        body = orjson.dumps({"command_id": "1", "requested_by": "x", "items": [item]})
        now = datetime.now(UTC)
        command = read_command(body, "enroll", broker_user="test", reply_to=None, received_at=now)
        async with db.transaction():
            results = await carry_out(db, [command], now=now)
        assert [found.outcome for found in results[command.identity].values()] == ["enrolled"]

    return send


async def test_they_are_commands_of_the_process(run_process, put, holders):
    await put("k1", "k2")
    assert await run_process("link-program-learners", ONE, "k1:grace") == (0, "1 linked, 0 not\n", "")
    reason = "'k2:\\udcff' is not of the form key:username; nothing was changed\n"
    assert await run_process("link-program-learners", ONE, b"k2:\xff") == (2, "", reason)
    assert (await run_process("reset-programs", ONE, typed="no\n"))[0] == 1
    assert (await run_process("expire-waiting"))[0] == 0
    assert await holders() == [("k1", "grace"), ("k2", None)]
    assert (await run_process("reset-programs", "--force", ONE))[0] == 0
    assert await holders() == []
    code, _, error = await run_process("serve", "--force")
    assert (code, "serve takes no words" in error) == (2, True)


class TestLinking:
    async def test_a_key_is_linked_and_its_learner_is_in_the_courses(self, run, put, world, db, holders):
        await put("K1", "k2")
        assert await run("link-program-learners", ONE, "k1:grace", " k2 : ada ") == (0, "2 linked, 0 not\n", "")
        assert await holders() == [("K1", "grace"), ("k2", "ada")]
        assert await world.state("grace") == await world.state("ada") == ("masters", True)
        announced = [change for event in await world.announced() for change in event["changes"]]
        assert sorted((change["username"], change["mode"], change["is_active"]) for change in announced) == [
            ("ada", "masters", True),
            ("grace", "masters", True),
        ]
        lines = await db.fetch("select source, actor, old_user_id from program_history where user_id is not null")
        assert [tuple(line) for line in lines] == [("link", ACTOR, None)] * 2
        assert {(row["source"], row["actor"]) for row in await world.history()} == {("program", ACTOR)}

    async def test_each_failure_is_told_in_upstreams_words_and_the_others_go_on(self, run, put, world, holders):
        await put("k1", "k2", "k3")
        await world.link(1, "grace", "k1")
        code, out, error = await run("link-program-learners", ONE, "k1:grace", "k2:ghost", "k9:ada", "k3:ada")
        assert (code, error) == (1, "")
        assert out.splitlines() == [
            "Program enrollment with external_student_key=k1 is already linked to target account username=grace",
            "No user found with username ghost",
            f"No program enrollment found for program uuid={ONE} and external student key=k9",
            "1 linked, 3 not",
        ]
        assert await holders() == [("k1", "grace"), ("k2", None), ("k3", "ada")]

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ([], "usage: link-program-learners <program uuid> <key>:<username> ..."),
            ([ONE], "usage: link-program-learners <program uuid> <key>:<username> ..."),
            (["x", "k1:grace"], "'x' is not the uuid of a program; nothing was changed"),
            ([ONE, "k1:grace", "k2"], "'k2' is not of the form key:username; nothing was changed"),
            ([ONE, "k1:grace", "k2:"], "'k2:' is not of the form key:username; nothing was changed"),
            ([ONE, "k1:grace", " :ada"], "' :ada' is not of the form key:username; nothing was changed"),
            ([ONE, "k1:grace", "k2:a:b"], "'k2:a:b' is not of the form key:username; nothing was changed"),
            ([ONE, "k1:grace", "k2:\udcff"], "'k2:\\udcff' is not of the form key:username; nothing was changed"),
            ([ONE, "k1:grace", "K1:ada"], "'K1' is named twice; nothing was changed"),
        ],
    )
    async def test_a_list_with_a_mistake_links_nobody(self, run, put, words, reason, holders):
        await put("k1")
        assert await run("link-program-learners", *words) == (2, "", f"{reason}\n")
        assert await holders() == [("k1", None)]

    async def test_another_account_leaves_the_courses_first(self, run, put, world, db, holders):
        await world.link(1, "grace", "k1")
        await put("k1")
        assert await world.state("grace") == ("masters", True)
        assert (await run("link-program-learners", ONE, "k1:ada"))[0] == 0
        assert await holders() == [("k1", "ada")]
        assert (await world.state("grace"), await world.state("ada")) == (("audit", False), ("masters", True))
        lines = await db.fetch("select old_user_id, user_id from program_history where actor = $1", ACTOR)
        assert [tuple(line) for line in lines] == [(a_caller("grace").user_id, a_caller("ada").user_id)]

    async def test_a_course_without_audit_is_left_in_the_mode_one_had(self, run, put, world):
        await world.link(1, "grace", "k1")
        await put("k1")
        await world.course(OPEN, modes=[{"slug": "verified", "name": "Verified"}])
        assert (await run("link-program-learners", ONE, "k1:ada"))[0] == 0
        assert await world.state("grace") == ("masters", False)

    async def test_what_breaks_a_rule_of_the_database_is_rolled_back_alone(self, run, put, world, holders):
        await put("k1", "k2", "k3")
        await world.link(1, "grace", "k1")
        code, out, _ = await run("link-program-learners", ONE, "k2:grace", "k3:ada")
        assert code == 1
        assert out.splitlines() == [
            'UniqueViolationError: duplicate key value violates unique constraint "program_enrollment_user"',
            "1 linked, 1 not",
        ]
        assert await holders() == [("k1", "grace"), ("k2", None), ("k3", "ada")]

    async def test_a_course_that_is_gone_takes_the_link_back(self, run, put, world, holders):
        await put("k1")
        await world.course(OPEN, deleted=True)
        code, out, _ = await run("link-program-learners", ONE, "k1:grace")
        assert (code, out.splitlines()[0]) == (1, f"CourseEnrollmentError: {OPEN}: No course has this id.")
        assert await holders() == [("k1", None)]
        assert await world.announced() == []

    async def test_a_key_in_two_curricula_is_linked_in_both(self, run, put, db, holders):
        await put("k1")
        await db.execute(
            "insert into program_enrollment (program_uuid, curriculum_uuid, external_user_key, folded, status)"
            " values ($1, $2, 'k1', 'k1', 'enrolled')",
            ONE,
            OTHER,
        )
        assert (await run("link-program-learners", ONE, "k1:grace"))[0] == 0
        assert await holders() == [("k1", "grace"), ("k1", "grace")]

    async def test_no_event_takes_back_what_was_linked_by_hand(self, run, put, world, send_command, holders):
        await world.link(1, "grace", "k1")
        await put("k1")
        assert (await run("link-program-learners", ONE, "k1:ada"))[0] == 0
        # the gateway says the same again, as it does when the other account changes
        await world.link(1, "grace", "k1")
        assert await holders() == [("k1", "ada")]
        # and whoever names the learner by the key means the one it was linked to
        await send_command({"external_key": "k1", "program_uuid": ONE, "course_id": OPEN, "mode": "verified"})
        assert (await world.state("grace"), await world.state("ada")) == (("audit", False), ("verified", True))


class TestReset:
    @pytest.mark.parametrize("typed", ["no\n", "", "y\n", "Yes\n", "\n"])
    async def test_without_a_yes_nothing_changes(self, run, put, world, typed, holders):
        await world.link(1, "grace", "k1")
        await put("k1", "k2")
        code, out, error = await run("reset-programs", ONE, typed=typed)
        assert (code, error) == (1, "")
        assert out.startswith("2 program enrollments of 1 programs would be deleted.\n")
        assert out.endswith("nothing was changed\n")
        assert await holders() == [("k1", "grace"), ("k2", None)]
        assert await world.state("grace") == ("masters", True)

    @pytest.mark.parametrize(("words", "typed"), [((), "yes\n"), (("--force",), "")], ids=["asked", "forced"])
    async def test_the_programs_are_emptied_and_others_untouched(self, run, put, world, db, words, typed, holders):
        await world.link(1, "grace", "k1")
        await world.link(2, "ada", "k2")
        await put("k1", "k2", "waits")
        # ada is in the course by another program as well, and by that stays in it
        await put("k2", program=TWO, status="inactive")
        await db.execute("update program_course_enrollment set status = 'active' where program_uuid = $1", TWO)
        code, out, error = await run("reset-programs", ONE, *words, typed=typed)
        assert (code, error) == (0, "")
        assert out.endswith(f"{ONE}: 3 program enrollments deleted\n")
        assert await holders() == [("k2", "ada")]
        assert (await world.state("grace"), await world.state("ada")) == (("masters", False), ("masters", True))
        assert await db.fetchval("select count(*) from program_course_enrollment") == 1
        last = (await world.announced())[-1]["changes"]
        assert [(change["username"], change["is_active"]) for change in last] == [("grace", False)]

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ([], "usage: reset-programs <program uuid> ... [--force]"),
            (["--force"], "usage: reset-programs <program uuid> ... [--force]"),
            ([ONE, "x", "--force"], "this is no list of program uuids; nothing was changed"),
            ([ONE, "--froce"], "this is no list of program uuids; nothing was changed"),
            ([ONE, CURRICULUM, "--force"], f"there is no program {CURRICULUM}; nothing was changed"),
        ],
    )
    async def test_a_list_with_a_mistake_empties_nothing(self, run, put, words, reason, holders):
        await put("k1")
        assert await run("reset-programs", *words) == (2, "", f"{reason}\n")
        assert await holders() == [("k1", None)]


class TestExpiry:
    async def test_what_has_waited_long_enough_goes(self, run, put, world, db, holders):
        await world.link(1, "grace", "linked")
        await put("old", "young", "linked")
        now = datetime.now(UTC)
        for key, days in (("old", 60), ("young", 59), ("linked", 90)):
            then = now - timedelta(days=days)
            await db.execute("update program_enrollment set modified = $2 where folded = $1", key, then)
        said = "program enrollments that waited for"
        assert await run("expire-waiting") == (0, f"1 {said} 60 days or longer deleted\n", "")
        assert await run("expire-waiting", "59") == (0, f"1 {said} 59 days or longer deleted\n", "")
        assert await holders() == [("linked", "grace")]

    @pytest.mark.parametrize("words", [["0"], ["-1"], ["1e9"], ["٣"], ["999999"], ["1", "2"]])
    async def test_other_words_delete_nothing(self, run, put, words, holders):
        await put("k1")
        code, out, error = await run("expire-waiting", *words)
        assert (code, out) == (2, "")
        assert error
        assert await holders() == [("k1", None)]
