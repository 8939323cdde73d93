"""Commands against a real database: carried out once, answered each time, item by item."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from common.messaging import Message, Permanent
from common.messaging.retry import Failure, classify
from common.testing.identity import a_caller
from enrollment.commands.operations import ENROLL, UNENROLL, CommandHandler, forget_answers
from enrollment.events import CommandCompleted, EnrollmentsChanged
from enrollment.sweeps import finish_deferred, recount_seats

OPEN, FULL = "course-v1:Org+Open+1", "course-v1:Org+Full+1"
COMPLETED = "enrollment.command.completed.v1"
PAST = datetime.now(UTC) - timedelta(days=30)


def command(*items, **fields):
    return {"command_id": str(uuid.uuid4()), "requested_by": "importer", "items": list(items), **fields}


def item(name="alice", course=OPEN, **fields):
    return {"username": name, "course_id": course, **fields}


def message(body, type_=ENROLL, *, user="erp", reply_to=None):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"request_id": "request-1"}
    return Message(id=uuid.uuid4(), type=type_, body=content, headers=headers, user_id=user, reply_to=reply_to)


@pytest.fixture
def handler():
    return CommandHandler(deferred_seconds=60, attempt_seconds=30)


@pytest.fixture
def send(resources, handler):
    async def _send(*messages):
        async with resources.sessions.begin() as session:
            await handler(session, messages)

    return _send


@pytest.fixture
def answers(world):
    async def _answers():
        return [CommandCompleted.model_validate(payload) for payload in await world.announced(COMPLETED)]

    return _answers


def outcomes(answer):
    return [(result.outcome, result.code) for result in answer.results]


@pytest.fixture(autouse=True)
async def known(world):
    await world.account("alice", "bob", "carol")
    await world.course(OPEN)


async def test_each_item_gets_its_outcome(world, send, answers):
    await world.enrolled("bob")
    body = command(
        item("alice", ref="row 1"),
        item("bob", ref=2),
        item("carol", is_active=False),
        {"ref": "row 4", "course_id": OPEN},
        item("alice", "course-v1:nonsense"),
        {"external_key": "k", "program_uuid": "no uuid", "course_id": OPEN},
        item("carol", cohort="none such", course="Org/Open/1"),
        reason="migration",
    )
    await send(message(body, reply_to="erp.answers"))
    row = await world.db.fetchrow("select * from outbox where type = $1", COMPLETED)
    assert (row["correlation_id"], row["reply_to"]) == (body["command_id"], "erp.answers")
    [answer] = await answers()
    assert answer.command_id == body["command_id"]
    assert [result.index for result in answer.results] == list(range(7))
    assert [result.ref for result in answer.results] == ["row 1", 2, None, "row 4", None, None, None]
    assert outcomes(answer) == [
        ("enrolled", None),
        ("unchanged", "already_enrolled"),
        ("unchanged", "duplicate"),
        ("rejected", "malformed"),
        ("rejected", "invalid_course_id"),
        ("rejected", "malformed"),
        ("rejected", "unknown_cohort"),
    ]
    assert await world.state("alice") == ("audit", True)
    assert await world.state("carol") is None
    [history] = await world.history()
    assert (history["source"], history["actor"], history["reason"], history["broker_user"], history["command_id"]) == (
        "command",
        "importer",
        "migration",
        "erp",
        body["command_id"],
    )


async def test_a_ref_that_the_contract_does_not_know_is_not_repeated(send, answers):
    await send(message(command(item(ref=True), item(ref=[1]), item(ref=1.5), item(ref="good"))))
    [answer] = await answers()
    assert [(result.ref, result.outcome) for result in answer.results] == [
        (None, "rejected"),
        (None, "rejected"),
        (None, "rejected"),
        ("good", "enrolled"),
    ]


async def test_changes_travel_together_on_the_key_of_bulk_changes(world, send):
    names = [f"learner{number}" for number in range(600)]
    for start in range(0, 600, 300):
        await world.account(*names[start : start + 300])
    await send(*(message(command(*map(item, names[start : start + 200]))) for start in (0, 200, 400)))
    rows = await world.db.fetch("select * from outbox where type = $1 order by position", EnrollmentsChanged.type)
    assert [(row["routing_key"], row["items"]) for row in rows] == [
        ("enrollment.enrollments.changed.v1.bulk", None),
        ("enrollment.enrollments.changed.v1.bulk", 100),
    ]
    changes = [EnrollmentsChanged.model_validate(payload).changes for payload in await world.announced()]
    assert [len(part) for part in changes] == [500, 100]
    assert sorted(change.username for part in changes for change in part) == sorted(names)
    assert {change.version for part in changes for change in part} == {1}
    assert await world.db.fetchval("select count(*) from enrollment_history") == 600


class TestIdentity:
    async def test_the_same_again_changes_nothing_and_is_answered_again(self, world, send, answers):
        body = command(item("alice"), item("bob"))
        await send(message(body))
        await send(message(body, reply_to="second"))
        await send(message(body), message(body))
        found = await answers()
        assert len(found) == 4
        assert len({answer.model_dump_json() for answer in found}) == 1
        assert len(await world.announced()) == 1
        assert len(await world.history()) == 2
        assert [
            row["reply_to"]
            for row in await world.db.fetch("select reply_to from outbox where type = $1 order by position", COMPLETED)
        ] == [None, "second", None, None]

    async def test_twice_in_one_batch_is_carried_out_once(self, world, send, answers):
        body = command(item("alice"))
        await send(message(body), message(body))
        assert [outcomes(answer) for answer in await answers()] == [[("enrolled", None)]] * 2
        assert len(await world.history()) == 1

    async def test_an_id_used_for_another_body_is_refused(self, world, send, answers):
        first = command(item("alice"))
        other = {**first, "items": [item("bob")]}
        await send(message(first))
        await send(message(other))
        await send(message(first, UNENROLL))
        found = await answers()
        assert [(answer.outcome, answer.code) for answer in found] == [
            (None, None),
            ("rejected", "command_id_reused"),
            ("rejected", "command_id_reused"),
        ]
        assert found[1].results == ()
        assert await world.state("bob") is None
        assert await world.state("alice") == ("audit", True)

    async def test_another_body_in_the_same_batch_is_refused_too(self, world, send, answers):
        first = command(item("alice"))
        await send(message(first), message({**first, "items": [item("bob")]}))
        assert {answer.code for answer in await answers()} == {None, "command_id_reused"}
        assert await world.state("bob") is None

    async def test_ids_of_two_publishers_do_not_meet(self, world, send, answers):
        body = command(item("alice"))
        await send(message(body, user="erp"))
        await send(message({**body, "items": [item("bob")]}, user="crm"))
        assert [answer.code for answer in await answers()] == [None, None]
        assert await world.state("bob") == ("audit", True)

    async def test_the_same_command_to_two_consumers_at_once(self, world, send, answers):
        body = command(*(item(name) for name in ("alice", "bob", "carol")))
        results = await asyncio.gather(*(send(message(body)) for _ in range(4)), return_exceptions=True)
        # who lost the race for the id is told to try again, at once
        assert any(result is None for result in results)
        lost = [result for result in results if result is not None]
        assert all(classify(error) is Failure.TRANSIENT for error in lost)
        await send(message(body))
        assert len(await world.history()) == 3
        assert len({answer.model_dump_json() for answer in await answers()}) == 1

    async def test_answers_are_forgotten_after_their_time(self, world, send):
        await send(message(command(item("alice"))))
        await forget_answers(world.db, before=datetime.now(UTC) - timedelta(days=1))
        assert await world.db.fetchval("select count(*) from command") == 1
        await forget_answers(world.db, before=datetime.now(UTC) + timedelta(seconds=1))
        assert await world.db.fetchval("select count(*) from command") == 0


class TestRefusedWhole:
    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"items": [item()] * 501}, "too_many_items"),
            ({"items": "alice"}, "malformed"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
        ],
    )
    async def test_answered_with_no_results_and_nothing_done(self, world, send, answers, fields, code):
        body = {**command(item("alice")), **fields}
        await send(message(body, reply_to="erp.answers"))
        [answer] = await answers()
        assert (answer.command_id, answer.outcome, answer.code) == (body["command_id"], "rejected", code)
        assert answer.message
        assert answer.results == ()
        assert await world.state("alice") is None

    async def test_an_answered_command_is_answered_again_after_it_expired(self, world, send, answers):
        body = command(item("alice"), expires_at=(datetime.now(UTC) + timedelta(seconds=0.2)).isoformat())
        await send(message(body))
        await time_passes(world, "attempt_at", "retry_at")
        await send(message(body))
        assert [outcomes(answer) for answer in await answers()] == [[("enrolled", None)]] * 2

    @pytest.mark.parametrize("body", [b"no json", b"[]", b'{"items": []}'])
    async def test_without_an_id_the_message_is_for_the_parking_lot(self, send, body):
        with pytest.raises(Permanent):
            await send(message(body))


class TestOrder:
    async def test_an_older_command_does_not_undo_a_newer_one(self, world, send, answers):
        now = datetime.now(UTC)
        newer = command(item("alice"), issued_at=now.isoformat())
        older = command(item("alice"), issued_at=(now - timedelta(minutes=1)).isoformat())
        await send(message(newer))
        await send(message(older, UNENROLL))
        assert [outcomes(answer) for answer in await answers()] == [[("enrolled", None)], [("unchanged", "superseded")]]
        assert await world.state("alice") == ("audit", True)

    async def test_an_unenroll_that_found_nothing_still_supersedes_what_was_issued_before(self, world, send, answers):
        now = datetime.now(UTC)
        await send(message(command(item("alice"), issued_at=now.isoformat()), UNENROLL))
        await send(message(command(item("alice"), issued_at=(now - timedelta(minutes=1)).isoformat())))
        assert [outcomes(answer) for answer in await answers()] == [
            [("unchanged", "not_enrolled")],
            [("unchanged", "superseded")],
        ]
        assert await world.state("alice") is None
        await send(message(command(item("alice"), issued_at=(now + timedelta(minutes=1)).isoformat())))
        assert await world.state("alice") == ("audit", True)

    async def test_an_unchanged_item_counts_as_applied(self, world, send, answers):
        now = datetime.now(UTC)
        await world.enrolled("alice")
        await send(message(command(item("alice"), issued_at=now.isoformat())))
        await send(message(command(item("alice"), issued_at=(now - timedelta(minutes=1)).isoformat()), UNENROLL))
        assert outcomes((await answers())[1]) == [("unchanged", "superseded")]

    async def test_commands_of_a_batch_follow_each_other(self, world, send, answers):
        await send(
            message(command(item("alice"), item("bob"))),
            message(command(item("alice")), UNENROLL),
            message(command(item("alice", mode="honor"))),
        )
        assert [outcomes(answer) for answer in await answers()] == [
            [("enrolled", None), ("enrolled", None)],
            [("unenrolled", None)],
            [("enrolled", None)],
        ]
        assert await world.state("alice") == ("honor", True)
        assert await world.db.fetchval("select max(version) from enrollment") == 3

    async def test_of_duplicates_in_a_command_the_last_one_counts(self, world, send, answers):
        await send(message(command(item("alice"), {"email": "ALICE@example.com", "course_id": OPEN, "mode": "honor"})))
        assert [outcomes(answer) for answer in await answers()] == [[("unchanged", "duplicate"), ("enrolled", None)]]
        assert await world.state("alice") == ("honor", True)
        assert len(await world.history()) == 1


async def test_cohort_and_attributes_are_applied_to_who_is_enrolled_already(world, send, answers):
    await world.cohort(OPEN, "blue")
    await world.enrolled("bob")
    attributes = [{"namespace": "order", "name": "id", "value": "7"}]
    await send(message(command(*(item(name, cohort="blue", attributes=attributes) for name in ("alice", "bob")))))
    assert outcomes((await answers())[0]) == [("enrolled", None), ("unchanged", "already_enrolled")]
    for name in ("alice", "bob"):
        assert await world.cohort_of(name) == "blue"
        assert await world.attributes_of(name) == {"order:id": "7"}


class TestSeats:
    async def test_the_last_seats_go_to_the_first_items(self, world, send, answers):
        await world.course(FULL, max_enrollments=2)
        await send(message(command(*(item(name, FULL) for name in ("alice", "bob", "carol")))))
        assert outcomes((await answers())[0]) == [("enrolled", None), ("enrolled", None), ("rejected", "course_full")]
        assert await world.taken(FULL) == 2

    async def test_an_option_leaves_the_limit_out_and_unenrolling_gives_seats_back(self, world, send):
        await world.course(FULL, max_enrollments=1)
        options = {"ignore_capacity": True}
        await send(message(command(*(item(name, FULL) for name in ("alice", "bob")), options=options)))
        assert await world.taken(FULL) == 2
        await send(message(command(item("alice", FULL)), UNENROLL))
        assert await world.taken(FULL) == 1
        rows = await world.history()
        assert [row["forced"] for row in rows] == [True, True, False]

    async def test_the_team_takes_none(self, world, send):
        await world.course(FULL, max_enrollments=1)
        await world.team(FULL, "alice")
        await send(message(command(*(item(name, FULL) for name in ("alice", "bob")))))
        assert await world.taken(FULL) == 1
        assert await world.state("bob", FULL) == ("audit", True)

    async def test_who_joins_the_team_frees_a_seat(self, world, send, resources):
        await world.course(FULL, max_enrollments=1)
        await send(message(command(item("alice", FULL))))
        assert await world.taken(FULL) == 1
        await world.team(FULL, "alice", role="instructor")
        assert await world.taken(FULL) == 0
        await recount_seats(resources)
        assert await world.db.fetchval("select recount_at from seat") is None


class TestWaiting:
    async def test_an_unknown_address_waits_and_is_enrolled_when_its_account_appears(self, world, send, answers):
        await world.cohort(OPEN, "blue")
        fields = {"mode": "honor", "cohort": "blue", "attributes": [{"namespace": "a", "name": "b", "value": "c"}]}
        await send(message(command({"email": "Dora@Example.com", "course_id": OPEN, **fields}, reason="gift")))
        assert outcomes((await answers())[0]) == [("waiting", "no_account")]
        assert await world.db.fetchval("select count(*) from enrollment") == 0
        await world.account("dora")
        assert await world.state("dora") == ("honor", True)
        assert await world.cohort_of("dora") == "blue"
        assert await world.attributes_of("dora") == {"a:b": "c"}
        [row] = await world.history()
        assert (row["source"], row["reason"], row["actor"]) == ("account", "gift", "importer")
        [event] = await world.announced()
        assert event["changes"][0]["username"] == "dora"
        assert await world.db.fetchval("select user_id from enrollment_allowed") == a_caller("dora").user_id

    async def test_unenrolling_an_address_forgets_it(self, world, send, answers):
        entry = {"email": "dora@example.com", "course_id": OPEN}
        await send(message(command(entry)))
        await send(message(command(entry), UNENROLL))
        await send(message(command(entry), UNENROLL))
        assert [outcomes(answer)[0] for answer in await answers()] == [
            ("waiting", "no_account"),
            ("unenrolled", None),
            ("unchanged", "not_enrolled"),
        ]
        await world.account("dora")
        assert await world.state("dora") is None

    @pytest.mark.parametrize(
        ("fields", "course", "options", "outcome"),
        [
            ({}, {}, {}, ("waiting", "no_account")),
            ({"email": "no address"}, {}, {}, ("rejected", "invalid_email")),
            ({"mode": "nope"}, {}, {}, ("rejected", "mode_unavailable")),
            ({"cohort": "nope"}, {}, {}, ("rejected", "unknown_cohort")),
            ({}, {"enrollment_end": PAST}, {}, ("rejected", "enrollment_closed")),
            ({}, {"enrollment_end": PAST}, {"ignore_window": True}, ("waiting", "no_account")),
            ({}, {"invitation_only": True}, {}, ("rejected", "invitation_only")),
            ({}, {"invitation_only": True}, {"ignore_invitation": True}, ("waiting", "no_account")),
            ({}, {"max_enrollments": 0}, {}, ("rejected", "course_full")),
            ({}, {"max_enrollments": 0}, {"ignore_capacity": True}, ("waiting", "no_account")),
        ],
    )
    async def test_the_same_rules_hold_before_there_is_an_account(
        self, world, resources, send, answers, handler, fields, course, options, outcome
    ):
        await world.course(OPEN, **course)
        await send(message(command({"email": "dora@example.com", "course_id": OPEN, **fields}, options=options)))
        if outcome[1] == "mode_unavailable":
            await time_passes(world, "attempt_at", "retry_at")
            await finish_deferred(resources, handler)
        assert outcomes((await answers())[0]) == [outcome]

    async def test_an_account_that_appears_during_the_command_is_not_missed(self, world, resources, handler):
        """The command commits its entry after the account was stored, before or after: the learner is enrolled."""
        for number in range(8):
            name = f"late{number}"
            body = command({"email": f"{name}@example.com", "course_id": OPEN})

            async def enroll(body=body):
                async with resources.sessions.begin() as session:
                    await handler(session, [message(body)])

            await asyncio.gather(enroll(), world.account(name))
            assert await world.state(name) == ("audit", True)


async def time_passes(world, *columns):
    await world.db.execute(
        f"update command set {', '.join(f'{name} = now()' for name in columns)} where answer is null"
    )


class TestDeferred:
    async def test_a_learner_who_is_heard_of_in_time_is_enrolled(self, world, resources, handler, send, answers):
        body = command(item("alice"), item("dora"), item("ghost"))
        await send(message(body, reply_to="erp.answers"))
        assert await answers() == []
        assert await world.state("alice") == ("audit", True)
        await send(message(body, reply_to="other.answers"))
        assert await answers() == []
        await world.account("dora")
        await time_passes(world, "attempt_at")
        await finish_deferred(resources, handler)
        assert await world.state("dora") == ("audit", True)
        assert await answers() == []
        await time_passes(world, "attempt_at", "retry_at")
        await finish_deferred(resources, handler)
        found = await answers()
        assert [outcomes(answer) for answer in found] == [
            [("enrolled", None), ("enrolled", None), ("rejected", "unknown_learner")]
        ] * 2
        rows = await world.db.fetch("select reply_to, headers::text from outbox where type = $1", COMPLETED)
        assert {row["reply_to"] for row in rows} == {"erp.answers", "other.answers"}
        assert orjson.loads(rows[0]["headers"]) == {"request_id": "request-1"}
        await send(message(body))
        assert len(await answers()) == 3
        assert len(await world.history()) == 2

    async def test_a_course_that_is_heard_of_in_time(self, world, resources, handler, send, answers):
        await send(message(command(item("alice", "course-v1:Org+New+1"))))
        await world.course("course-v1:Org+New+1")
        await time_passes(world, "attempt_at")
        await finish_deferred(resources, handler)
        assert [outcomes(answer) for answer in await answers()] == [[("enrolled", None)]]

    async def test_a_learner_named_by_program_and_external_key(self, world, resources, handler, send, answers):
        program = await world.program(1, OPEN)
        await world.link(1, "alice", "Stra\u00dfe-1")
        await world.link(2, "bob", "gone")
        await world.link(2, "bob", "gone", removed=True)
        named = [("STRASSE-1", program), ("gone", program), ("late", program), ("x", str(uuid.uuid4()))]
        items = [{"external_key": key, "program_uuid": found, "course_id": OPEN} for key, found in named]
        await send(message(command(*items)))
        assert await world.state("alice") == ("audit", True)
        assert await answers() == []
        await world.link(3, "carol", "late")
        await time_passes(world, "attempt_at", "retry_at")
        await finish_deferred(resources, handler)
        [answer] = await answers()
        assert outcomes(answer) == [
            ("enrolled", None),
            ("rejected", "unknown_external_key"),
            ("enrolled", None),
            ("rejected", "unknown_program"),
        ]

    async def test_two_sweeps_share_the_work(self, world, resources, handler, send, answers):
        for number in range(30):
            await send(message(command(item(f"ghost{number}"))))
        await time_passes(world, "attempt_at", "retry_at")
        await asyncio.gather(*(finish_deferred(resources, handler) for _ in range(3)))
        assert len(await answers()) == 30


async def test_commands_and_posts_on_the_same_learners_at_once(world, client, send, answers):
    """Whoever comes second decides again: nobody fails, versions and seats add up."""
    await world.course(FULL, max_enrollments=5)
    names = ["alice", "bob", "carol"]
    posts = [client.enroll(a_caller(name), FULL) for name in names for _ in range(4)]
    batches = [send(message(command(*(item(name, FULL) for name in names)))) for _ in range(4)]
    done = await asyncio.gather(*posts, *batches)
    assert {answer.status_code for answer in done[: len(posts)]} == {200}
    assert await world.taken(FULL) == 3
    assert len(await world.history()) == 3
    assert [tuple(row) for row in await world.db.fetch("select distinct version, is_active from enrollment")] == [
        (1, True)
    ]
