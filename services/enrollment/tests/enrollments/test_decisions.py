"""The POST's order of decisions, each refusal to the string, and what is stored when nothing is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from common.testing.identity import a_caller

OPEN, CLOSED, FULL, INVITED = (f"course-v1:Org+{name}+1" for name in ("Open", "Closed", "Full", "Invited"))
PAID, EXPIRED, BARE = (f"course-v1:Org+{name}+1" for name in ("Paid", "Expired", "Bare"))
ALICE, BOB, STAFF = a_caller("alice"), a_caller("bob"), a_caller("root", staff=True)
SERVER = a_caller(None, api_key=True)
PAST = datetime.now(UTC) - timedelta(days=30)


@dataclass
class Case:
    """One POST: who sends what, and what comes back."""

    name: str
    caller: object
    body: object
    status: int
    text: str | None = None
    code: str | None = None
    state: tuple[str, bool] | None = None
    more: Mapping[str, object] = field(default_factory=dict)
    who: str = "alice"
    where: str = OPEN


def post(course: str = OPEN, **fields: object) -> dict[str, object]:
    return {"course_details": {"course_id": course}, **fields}


def generic(name: str, course: str) -> str:
    return f"An error occurred while creating the new course enrollment for user '{name}' in course '{course}'"


def no_mode(mode: str, course: str) -> str:
    return f"The [{mode}] course mode is expired or otherwise unavailable for course run [{course}]."


ID_MISSING = "Course ID must be specified to create a new enrollment."

REFUSALS = [
    Case("no body at all", ALICE, {}, 400, ID_MISSING, "course_id_missing"),
    Case("a list for a body", ALICE, [], 400, ID_MISSING, "course_id_missing"),
    Case("course_details is no object", ALICE, {"course_details": "x"}, 400, ID_MISSING, "course_id_missing"),
    Case("course_id is empty", ALICE, post(""), 400, ID_MISSING, "course_id_missing"),
    Case(
        "a key nobody can parse", ALICE, post("nope"), 400, "No course 'nope' found for enrollment", "course_not_found"
    ),
    Case(
        "an unparseable key comes before a foreign user",
        ALICE,
        post("nope", user="bob"),
        400,
        "No course 'nope' found for enrollment",
        "course_not_found",
    ),
    Case("somebody else", ALICE, post(user="bob"), 404),
    Case("somebody else who does not exist", ALICE, post(user="ghost"), 404),
    Case("by e-mail without permission", ALICE, post(email="bob@example.com"), 404),
    Case(
        "an e-mail nobody has",
        STAFF,
        post(email="ghost@example.com"),
        406,
        "The user with the email address ghost@example.com does not exist.",
        "user_not_found",
    ),
    Case(
        "a foreign user comes before a mode that is not free",
        ALICE,
        post(user="bob", mode="verified"),
        404,
    ),
    Case(
        "a mode that is not free",
        ALICE,
        post(mode="verified"),
        403,
        "User does not have permission to create enrollment with mode [verified].",
        "mode_not_permitted",
    ),
    Case("an unknown user", STAFF, post(user="ghost"), 406, "The user ghost does not exist.", "user_not_found"),
    Case("a server that names nobody", SERVER, post(), 406, "The user  does not exist.", "user_not_found"),
    Case(
        "an unknown user comes before an unknown course",
        STAFF,
        post("course-v1:No+Such+Run", user="ghost"),
        406,
        "The user ghost does not exist.",
        "user_not_found",
    ),
    Case(
        "is_active that is no boolean",
        ALICE,
        post(is_active="foo"),
        400,
        "'foo' is an invalid enrollment activation status.",
        "invalid_activation_status",
    ),
    Case(
        "an unknown user comes before a bad is_active",
        STAFF,
        post(user="ghost", is_active="foo"),
        406,
        "The user ghost does not exist.",
        "user_not_found",
    ),
    Case(
        "a bad is_active comes before an unknown course",
        ALICE,
        post("course-v1:No+Such+Run", is_active="foo"),
        400,
        "'foo' is an invalid enrollment activation status.",
        "invalid_activation_status",
    ),
    Case(
        "force_enrollment that is no boolean",
        ALICE,
        post(force_enrollment="x"),
        400,
        "'x' is an invalid force enrollment status.",
        "invalid_force_enrollment",
    ),
    Case(
        "an unknown course",
        ALICE,
        post("course-v1:No+Such+Run"),
        400,
        "No course 'course-v1:No+Such+Run' found for enrollment",
        "course_not_found",
    ),
    Case("a mode the course has not", ALICE, post(PAID, mode="audit"), 400, no_mode("audit", PAID), "mode_unavailable"),
    Case("the default mode is not offered", ALICE, post(PAID), 400, no_mode("None", PAID), "mode_unavailable"),
    Case(
        "an expired mode", STAFF, post(EXPIRED, mode="verified"), 400, no_mode("verified", EXPIRED), "mode_unavailable"
    ),
    Case("a closed course", ALICE, post(CLOSED), 400, generic("alice", CLOSED), "enrollment_closed"),
    Case(
        "staff cannot open a closed course without force",
        STAFF,
        post(CLOSED, user="alice"),
        400,
        generic("alice", CLOSED),
        "enrollment_closed",
    ),
    Case(
        "a learner cannot force",
        ALICE,
        post(CLOSED, force_enrollment=True),
        400,
        generic("alice", CLOSED),
        "enrollment_closed",
    ),
    Case(
        "a server cannot force",
        SERVER,
        post(CLOSED, user="alice", force_enrollment=True),
        400,
        generic("alice", CLOSED),
        "enrollment_closed",
    ),
    Case("a course by invitation", ALICE, post(INVITED), 400, generic("alice", INVITED), "invitation_only"),
    Case("a full course", ALICE, post(FULL), 400, generic("alice", FULL), "course_full"),
    Case(
        "force does not add seats",
        STAFF,
        post(FULL, user="alice", force_enrollment=True),
        400,
        generic("alice", FULL),
        "course_full",
    ),
    Case(
        "a mode comes before a closed window",
        ALICE,
        post(CLOSED, mode="honor"),
        400,
        no_mode("honor", CLOSED),
        "mode_unavailable",
    ),
    Case(
        "a cohort the course has not: enrolled all the same",
        ALICE,
        post(cohort="blue"),
        400,
        "An error occured while adding to cohort [blue]",
        "cohort_not_found",
        state=("audit", True),
    ),
    Case(
        "an attribute without a value: enrolled all the same",
        ALICE,
        post(enrollment_attributes=[{"namespace": "credit", "name": "provider_id"}]),
        400,
        "'value' not in enrollment attribute",
        "attribute_invalid",
        state=("audit", True),
        more={"localizedMessage": "'value' not in enrollment attribute"},
    ),
    Case(
        "an attribute without a name: enrolled all the same",
        ALICE,
        post(enrollment_attributes=[{"namespace": "credit", "value": "x"}]),
        400,
        "'name' not in enrollment attribute",
        "attribute_invalid",
        state=("audit", True),
        more={"localizedMessage": "'name' not in enrollment attribute"},
    ),
]

ACCEPTED = [
    Case("the default mode", ALICE, post(), 200, state=("audit", True)),
    Case("a free mode", ALICE, post(mode="honor"), 200, state=("honor", True)),
    Case("oneself by name", ALICE, post(user="alice"), 200, state=("audit", True)),
    Case("an empty user is oneself", ALICE, post(user=""), 200, state=("audit", True)),
    Case("another one, by staff", STAFF, post(user="alice"), 200, state=("audit", True)),
    Case("another one, by a server", SERVER, post(user="alice", mode="verified"), 200, state=("verified", True)),
    Case("by e-mail, in any letters", STAFF, post(email="Alice@Example.com"), 200, state=("audit", True)),
    Case(
        "the user stands over the e-mail", STAFF, post(user="alice", email="no@example.com"), 200, state=("audit", True)
    ),
    Case("a new enrollment that is inactive", ALICE, post(is_active=False), 200, state=("audit", False)),
    Case("a course without modes offers audit", ALICE, post(BARE), 200, state=("audit", True), where=BARE),
    Case("only expired modes left: audit", ALICE, post(EXPIRED), 200, state=("audit", True), where=EXPIRED),
    Case(
        "an expired mode by force",
        STAFF,
        post(EXPIRED, user="alice", mode="verified", force_enrollment=True),
        200,
        state=("verified", True),
        where=EXPIRED,
    ),
    Case(
        "an expired mode, inactive",
        STAFF,
        post(EXPIRED, user="alice", mode="verified", is_active=False),
        200,
        state=("verified", False),
        where=EXPIRED,
    ),
    Case(
        "staff may force a closed course",
        STAFF,
        post(CLOSED, user="alice", force_enrollment=True),
        200,
        state=("audit", True),
        where=CLOSED,
    ),
    Case(
        "staff may force an invitation",
        STAFF,
        post(INVITED, user="alice", force_enrollment=True),
        200,
        state=("audit", True),
        where=INVITED,
    ),
    Case(
        "global staff themselves need no window",
        STAFF,
        post(CLOSED),
        200,
        state=("audit", True),
        who="root",
        where=CLOSED,
    ),
    Case("the other spelling of the key", ALICE, post("Org/Open/1"), 200, state=("audit", True)),
    Case(
        "enterprise fields are accepted",
        SERVER,
        post(user="alice", linked_enterprise_customer="6f1c", enterprise_uuid="6f1c"),
        200,
        state=("audit", True),
    ),
]


@pytest.fixture
async def courses(world):
    await world.account("alice", "bob")
    await world.account("root", is_staff=True)
    await world.course(OPEN)
    await world.course(CLOSED, enrollment_end=PAST, modes=[{"slug": "audit", "name": "Audit"}])
    await world.course(FULL, max_enrollments=0)
    await world.course(INVITED, invitation_only=True)
    await world.course(PAID, modes=[{"slug": "verified", "name": "Verified"}])
    await world.course(EXPIRED, modes=[{"slug": "verified", "name": "V", "expiration_datetime": PAST}])
    await world.course(BARE, modes=[])
    return world


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
async def test_refusals_in_upstreams_order_and_words(case, client, courses):
    answer = await client.send("POST", "enrollment", case.caller, json=case.body)
    assert answer.status_code == case.status
    if case.text is None:
        assert answer.content == b""
    else:
        body = answer.json()
        assert (body.pop("message"), body.pop("error_code")) == (case.text, case.code)
        details = body.pop("course_details", None)
        assert (details is not None) == (case.code == "mode_unavailable")
        assert body == case.more
    assert await courses.state("alice") == case.state
    assert len(await courses.announced()) == (1 if case.state else 0)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
async def test_what_is_accepted_is_stored_and_announced_once(case, client, courses):
    answer = await client.send("POST", "enrollment", case.caller, json=case.body)
    assert answer.status_code == 200, answer.text
    mode, active = case.state
    body = answer.json()
    assert (body["mode"], body["is_active"], body["user"]) == (mode, active, case.who)
    assert body["course_details"]["course_id"] == case.where
    assert await courses.state(case.who, case.where) == case.state
    [event] = await courses.announced()
    [change] = event["changes"]
    assert (change["username"], change["course_id"], change["mode"], change["is_active"], change["version"]) == (
        case.who,
        case.where,
        mode,
        active,
        1,
    )
    [row] = await courses.history()
    assert (row["source"], row["mode"], row["is_active"], row["version"]) == ("http", mode, active, 1)


async def test_the_answer_is_the_whole_enrollment_object(client, world):
    await world.account("alice")
    start = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    await world.course(
        OPEN,
        display_name='Quotes " and ünicode',
        start=start,
        enrollment_end=start,
        pacing="self",
        modes=[{"slug": "audit", "name": "Audit"}],
    )
    body = (await client.enroll(ALICE)).json()
    created = body.pop("created")
    assert datetime.fromisoformat(created).tzinfo is not None
    assert created.endswith("Z")
    assert body == {
        "mode": "audit",
        "is_active": True,
        "user": "alice",
        "course_details": {
            "course_id": OPEN,
            "course_name": 'Quotes " and ünicode',
            "enrollment_start": None,
            "enrollment_end": "2030-01-02T03:04:05Z",
            "course_start": "2030-01-02T03:04:05Z",
            "course_end": None,
            "invite_only": False,
            "course_modes": [
                {
                    "slug": "audit",
                    "name": "Audit",
                    "min_price": 0,
                    "suggested_prices": "",
                    "currency": "usd",
                    "expiration_datetime": None,
                    "description": None,
                    "sku": None,
                    "bulk_sku": None,
                }
            ],
            "pacing_type": "Self Paced",
        },
    }


async def test_a_course_remembers_the_spelling_it_was_created_in(client, world):
    await world.account("alice")
    await world.course("course-v1:Org+Old+1", spelling="Org/Old/1")
    answer = await client.enroll(ALICE, "course-v1:Org+Old+1")
    assert answer.json()["course_details"]["course_id"] == "Org/Old/1"
    assert (await client.send("GET", "enrollment/Org/Old/1", ALICE)).json()["user"] == "alice"


class TestWhoMayEnter:
    async def test_an_allowed_entry_opens_and_is_bound_to_its_first_user(self, client, courses):
        await courses.allow(INVITED, "Alice@example.com")
        assert (await client.enroll(ALICE, INVITED)).status_code == 200
        bound = await courses.db.fetchval("select user_id from enrollment_allowed")
        assert bound == ALICE.user_id

    async def test_an_entry_bound_to_another_user_closes_even_an_open_course(self, client, courses):
        await courses.allow(OPEN, "alice@example.com", bound_to="bob")
        assert (await client.enroll(ALICE, OPEN)).json()["error_code"] == "enrollment_closed"

    async def test_the_course_team_needs_no_window_no_invitation_and_no_seat(self, client, courses):
        for course in (CLOSED, INVITED, FULL):
            await courses.team(course, "alice")
            assert (await client.enroll(ALICE, course)).status_code == 200
        assert await courses.taken(FULL) == 0

    async def test_who_has_left_the_team_is_a_learner_again(self, client, courses):
        await courses.team(CLOSED, "alice")
        await courses.team(CLOSED, "alice", removed=True)
        assert (await client.enroll(ALICE, CLOSED)).status_code == 400

    @pytest.mark.parametrize(
        ("lists", "country", "home", "status"),
        [
            (("IR",), "IR", None, 403),
            (("IR",), "ir", None, 403),
            (("IR",), "FR", "IR", 200),
            (("IR",), None, "IR", 403),
            (("IR",), None, None, 200),
        ],
    )
    async def test_embargo_by_client_country_else_by_the_profile(self, client, world, lists, country, home, status):
        await world.account("alice", country=home)
        await world.account("root", is_staff=True)
        await world.course()
        assert (await client.send("PUT", f"embargo/{OPEN}", STAFF, json={"blocked": lists})).status_code == 200
        headers = {"x-lectern-client-country": country} if country else {}
        answer = await client.send("POST", "enrollment", ALICE, json=post(is_active=True), headers=headers)
        assert answer.status_code == status
        if status == 403:
            body = answer.json()
            assert body["message"] == f"Users from this location cannot access the course '{OPEN}'."
            assert body["user_message_url"].startswith("http://")
            page = await client.http.get(body["user_message_url"].split("http://127.0.0.1:8000")[-1])
            assert page.status_code == 200
            assert await world.state("alice") is None

    async def test_only_the_allowed_countries_when_there_are_any(self, client, courses):
        await client.send("PUT", f"embargo/{OPEN}", STAFF, json={"allowed": ["FR"]})
        for country, status in (("FR", 200), ("DE", 403)):
            headers = {"x-lectern-client-country": country}
            answer = await client.send("POST", "enrollment", ALICE, json=post(), headers=headers)
            assert answer.status_code == status


class TestBodies:
    @pytest.mark.parametrize("content", [b"{", b"", b"\xff", b'{"a": "\\u0000"}'])
    async def test_what_is_no_json_is_a_parse_error(self, client, courses, content):
        headers = {"content-type": "application/json"}
        answer = await client.send("POST", "enrollment", ALICE, content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("JSON parse error")

    async def test_forms_are_not_read(self, client, courses):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await client.send("POST", "enrollment", ALICE, content=b"a=b", headers=headers)
        assert answer.status_code == 415

    async def test_without_credentials_401_before_anything_else(self, client, courses):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = await client.send(method, "enrollment")
            assert answer.status_code == 401
            assert answer.json()["detail"] == "Authentication credentials were not provided."
            assert answer.headers["WWW-Authenticate"] == 'JWT realm="api"'
        answer = await client.send("PUT", "enrollment", ALICE)
        assert (answer.status_code, answer.json()["detail"]) == (405, 'Method "PUT" not allowed.')
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
        answer = await client.send("OPTIONS", "enrollment", ALICE)
        assert (answer.status_code, answer.headers["Allow"]) == (200, "GET, HEAD, OPTIONS, POST")

    async def test_attributes_cohort_and_opt_in_are_stored(self, client, courses):
        await courses.cohort(OPEN, "blue")
        attributes = [
            {"namespace": "order", "name": "id", "value": "1"},
            {"namespace": "order", "name": "id", "value": "2"},
        ]
        answer = await client.enroll(ALICE, enrollment_attributes=attributes, cohort="blue", email_opt_in=True)
        assert answer.status_code == 200
        assert await courses.attributes_of("alice") == {"order:id": "2"}
        assert await courses.cohort_of("alice") == "blue"
        row = await courses.db.fetchrow("select * from email_opt_in")
        assert (row["user_id"], row["org"], row["value"]) == (ALICE.user_id, "Org", True)

    async def test_without_the_cohort_there_is_no_opt_in(self, client, courses):
        assert (await client.enroll(ALICE, cohort="blue", email_opt_in=True)).status_code == 400
        assert await courses.db.fetchval("select count(*) from email_opt_in") == 0

    async def test_an_account_that_was_never_activated_may_enroll(self, client, courses):
        await courses.account("alice", is_active=False)
        assert (await client.enroll(ALICE)).status_code == 200

    @pytest.mark.parametrize(
        ("caller", "fields", "noted"),
        [
            (ALICE, {"enterprise_uuid": "6f1c"}, "6f1c"),
            (STAFF, {"user": "alice", "linked_enterprise_customer": "a"}, None),
            (SERVER, {"user": "alice", "linked_enterprise_customer": "a"}, "a"),
            (SERVER, {"user": "alice", "linked_enterprise_customer": "a", "enterprise_uuid": "b"}, "b"),
        ],
    )
    async def test_the_enterprise_is_noted_and_a_link_only_from_servers(self, client, courses, caller, fields, noted):
        assert (await client.enroll(caller, **fields)).status_code == 200
        [row] = await courses.history()
        assert row["enterprise_uuid"] == noted

    async def test_the_opt_in_is_the_callers_not_the_targets(self, client, courses):
        await client.enroll(STAFF, user="alice", email_opt_in=False)
        row = await courses.db.fetchrow("select * from email_opt_in")
        assert (row["user_id"], row["value"]) == (STAFF.user_id, False)

    async def test_a_repeated_enrollment_moves_the_cohort_and_announces_nothing(self, client, courses):
        for name in ("blue", "red"):
            await courses.cohort(OPEN, name)
            attributes = [{"namespace": "a", "name": "b", "value": name}]
            assert (await client.enroll(ALICE, cohort=name, enrollment_attributes=attributes)).status_code == 200
        assert await courses.cohort_of("alice") == "red"
        assert await courses.attributes_of("alice") == {"a:b": "red"}
        assert len(await courses.announced()) == 1
        assert len(await courses.history()) == 1
