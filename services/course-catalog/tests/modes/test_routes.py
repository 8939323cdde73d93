"""The course modes API: bodies, statuses and every refusal to the letter; and what is announced."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx
import pytest

from common.identity import Caller
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseDeleted, CourseFacts

MakeCourse = Callable[..., CourseFacts]
KEY = "course-v1:Org+Demo+1"
MODES = f"/api/course_modes/v1/courses/{KEY}"
STAFF, ALICE, SERVER = a_caller("greta", staff=True), a_caller("alice"), a_caller(None, api_key=True)
PATCH = {"Content-Type": "application/merge-patch+json"}
VERIFIED = {"course_id": KEY, "mode_slug": "verified", "mode_display_name": "Verified", "currency": "USD"}


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def announced(self) -> list[dict[str, Any]]: ...


class Client(Protocol):
    async def get(
        self, url: str, caller: Caller | None = None, *, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> httpx.Response: ...
    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        caller: Caller | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response: ...


@pytest.fixture
async def course(bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())


@pytest.mark.usefixtures("course")
async def test_a_mode_is_made_read_changed_and_taken_away(client: Client, bus: Bus) -> None:
    assert (await client.get(MODES, STAFF)).json() == []
    made = await client.send("POST", f"{MODES}/", VERIFIED | {"min_price": "49"}, STAFF)
    assert made.status_code == 201
    assert made.json() == {
        "course_id": KEY,
        "mode_slug": "verified",
        "mode_display_name": "Verified",
        "min_price": 49,
        "currency": "usd",
        "expiration_datetime": None,
        "expiration_datetime_is_explicit": False,
        "description": None,
        "sku": None,
        "bulk_sku": None,
    }
    for url in (f"{MODES}/verified", f"{MODES}/verified/"):
        assert (await client.get(url, SERVER)).json() == made.json()
    assert (await client.get(f"{MODES}/", STAFF)).json() == [made.json()]
    changes = {"min_price": 60, "expiration_datetime": "2031-01-02T03:04:05Z", "sku": "S"}
    changed = await client.send("PATCH", f"{MODES}/verified", changes, STAFF, headers=PATCH)
    assert (changed.status_code, changed.content) == (204, b"")
    now = (await client.get(f"{MODES}/verified", STAFF)).json()
    assert (now["min_price"], now["expiration_datetime"], now["sku"]) == (60, "2031-01-02T03:04:05Z", "S")
    assert now["expiration_datetime_is_explicit"] is True
    await client.send("PATCH", f"{MODES}/verified", {"expiration_datetime": None}, STAFF, headers=PATCH)
    assert (await client.get(f"{MODES}/verified", STAFF)).json()["expiration_datetime"] is None
    assert [[mode["slug"] for mode in course["modes"]] for course in await bus.announced()] == [
        ["audit"],
        ["verified"],
        ["verified"],
        ["verified"],
    ]
    assert [course["version"] for course in await bus.announced()] == [1, 2, 3, 4]
    assert (await client.send("DELETE", f"{MODES}/verified", None, STAFF)).status_code == 204
    assert (await client.get(f"{MODES}/verified", STAFF)).status_code == 404
    last = (await bus.announced())[-1]
    assert ([mode["slug"] for mode in last["modes"]], last["default_mode"]) == (["audit"], "audit")


REQUIRED = "This field is required."


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, {name: [REQUIRED] for name in ("course_id", "mode_slug", "mode_display_name", "currency")}),
        ({**VERIFIED, "min_price": None}, {"min_price": ["This field may not be null."]}),
        ({**VERIFIED, "min_price": "cheap"}, {"min_price": ["A valid integer is required."]}),
        ({**VERIFIED, "min_price": 1.5}, {"min_price": ["A valid integer is required."]}),
        ({**VERIFIED, "min_price": True}, {"min_price": ["A valid integer is required."]}),
        ({**VERIFIED, "min_price": -1}, {"min_price": ["Ensure this value is greater than or equal to 0."]}),
        ({**VERIFIED, "min_price": 2**31}, {"min_price": ["Ensure this value is less than or equal to 2147483647."]}),
        ({**VERIFIED, "mode_slug": ""}, {"mode_slug": ["This field may not be blank."]}),
        ({**VERIFIED, "mode_slug": "x" * 101}, {"mode_slug": ["Ensure this field has no more than 100 characters."]}),
        ({**VERIFIED, "mode_slug": []}, {"mode_slug": ["Not a valid string."]}),
        ({**VERIFIED, "sku": {"a": 1}}, {"sku": ["Not a valid string."]}),
        ({**VERIFIED, "sku": "a\x00b"}, {"sku": ["Null characters are not allowed."]}),
        ({**VERIFIED, "course_id": "nonsense"}, {"course_id": ["'nonsense' is not a valid course key."]}),
        ({**VERIFIED, "course_id": "course-v1:No+Such+1"}, {"course_id": ["There is no such course."]}),
        (
            {**VERIFIED, "expiration_datetime_is_explicit": "maybe"},
            {"expiration_datetime_is_explicit": ["Must be a valid boolean."]},
        ),
        (
            {**VERIFIED, "mode_slug": "professional", "expiration_datetime": "2031-01-01T00:00:00Z"},
            {"expiration_datetime": ["Professional education modes are not allowed to have expiration_datetime set."]},
        ),
    ],
)
@pytest.mark.usefixtures("course")
async def test_a_bad_mode_is_refused_by_field_and_stores_nothing(
    client: Client, bus: Bus, body: object, refusal: object
) -> None:
    answer = await client.send("POST", f"{MODES}/", body, STAFF)
    assert (answer.status_code, answer.json()) == (400, refusal)
    assert (await client.get(MODES, STAFF)).json() == []
    assert len(await bus.announced()) == 1


@pytest.mark.parametrize(
    "when", ["tomorrow", "2031-02-30T00:00:00Z", 5, "2031", "0001-01-01T00:00:00+14:00", "9" * 300]
)
@pytest.mark.usefixtures("course")
async def test_an_unreadable_time_is_refused(client: Client, when: object) -> None:
    answer = await client.send("POST", f"{MODES}/", VERIFIED | {"expiration_datetime": when}, STAFF)
    assert answer.status_code == 400
    assert answer.json()["expiration_datetime"][0].startswith("Datetime has wrong format.")


@pytest.mark.usefixtures("course")
async def test_the_same_mode_again_and_changes_of_its_identity_are_refused(client: Client) -> None:
    assert (await client.send("POST", f"{MODES}/", VERIFIED, STAFF)).status_code == 201
    again = await client.send("POST", f"{MODES}/", VERIFIED, STAFF)
    unique = "The fields course_id, mode_slug, currency must make a unique set."
    assert (again.status_code, again.json()) == (400, {"non_field_errors": [unique]})
    assert (await client.send("POST", f"{MODES}/", VERIFIED | {"currency": "eur"}, STAFF)).status_code == 201
    fixed = {"course_id": ["This field cannot be modified."], "mode_slug": ["This field cannot be modified."]}
    answer = await client.send(
        "PATCH", f"{MODES}/verified", {"course_id": KEY, "mode_slug": "verified"}, STAFF, headers=PATCH
    )
    assert (answer.status_code, answer.json()) == (400, fixed)
    clash = await client.send("PATCH", f"{MODES}/verified", {"currency": "EUR"}, STAFF, headers=PATCH)
    assert clash.status_code == 400


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("DELETE", MODES, "GET, HEAD, OPTIONS, POST"),
        ("DELETE", f"{MODES}/", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", f"{MODES}/", "GET, HEAD, OPTIONS, POST"),
        ("POST", f"{MODES}/verified", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
@pytest.mark.usefixtures("course")
async def test_a_list_of_modes_and_a_mode_serve_different_methods(
    client: Client, method: str, url: str, allowed: str
) -> None:
    answer = await client.send(method, url, VERIFIED, STAFF, headers=PATCH if method == "PATCH" else {})
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["detail"] == f'Method "{method}" not allowed.'


@pytest.mark.usefixtures("course")
async def test_permission_comes_before_everything_else(client: Client) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        for caller, status in ((None, 401), (ALICE, 403)):
            answer = await client.send(method, f"{MODES}/nothing", b"{", caller)
            assert answer.status_code == status
            assert set(answer.json()) == {"detail", "error_code"}


@pytest.mark.usefixtures("course")
async def test_a_token_with_the_scope_reads_and_does_no_more(client: Client) -> None:
    reader = a_caller("reader", scopes=("course_modes:read",))
    await client.send("POST", f"{MODES}/", VERIFIED, STAFF)
    for url in (MODES, f"{MODES}/verified"):
        assert (await client.send("GET", url, None, reader)).status_code == 200
    for method in ("POST", "PATCH", "DELETE"):
        answer = await client.send(method, f"{MODES}/verified", VERIFIED, reader)
        assert answer.status_code == 403, method


@pytest.mark.parametrize(
    ("method", "url", "body", "headers", "status"),
    [
        ("PATCH", f"{MODES}/audit", {"sku": "x"}, PATCH, 404),
        ("DELETE", f"{MODES}/audit", None, {}, 404),
        ("GET", f"{MODES}/audit", None, {}, 404),
        ("GET", "/api/course_modes/v1/courses/nonsense", None, {}, 404),
        ("PATCH", f"{MODES}/verified", {"sku": "x"}, {}, 415),
        ("POST", f"{MODES}/", b"{", {}, 400),
        ("POST", f"{MODES}/", b"[]", {}, 400),
        ("POST", f"{MODES}/", b'{"course_id": "\\ud800"}', {}, 400),
        ("PUT", f"{MODES}/verified", {}, {}, 405),
    ],
)
@pytest.mark.usefixtures("course")
async def test_the_rest_is_refused_in_the_familys_shape(
    client: Client, method: str, url: str, body: object, headers: dict[str, str], status: int
) -> None:
    await client.send("POST", f"{MODES}/", VERIFIED, STAFF)
    answer = await client.send(method, url, body, STAFF, headers=headers)
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["detail"], str)


async def test_the_bodys_course_counts_and_the_spelling_is_the_courses(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course("Org/Old/1"), a_course())
    body = VERIFIED | {"course_id": "course-v1:Org+Old+1"}
    assert (await client.send("POST", f"{MODES}/", body, STAFF)).json()["course_id"] == "Org/Old/1"
    assert (await client.get(MODES, STAFF)).json() == []
    url = "/api/course_modes/v1/courses/Org/Old/1"
    assert len((await client.get(url, STAFF)).json()) == 1
    assert (await client.get(f"{url}/verified", STAFF)).json()["course_id"] == "Org/Old/1"


async def test_modes_survive_a_republish(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    await client.send("POST", f"{MODES}/", VERIFIED, STAFF)
    await bus.hear(a_course(version=2))
    assert [mode["slug"] for mode in (await bus.announced())[-1]["modes"]] == ["verified"]
