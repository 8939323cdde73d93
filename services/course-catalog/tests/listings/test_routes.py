"""Listing rules and marketing over HTTP: who may set them, what they refuse, what they do."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import httpx
import pytest

from common.identity import Caller
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseDeleted, CourseFacts

MakeCourse = Callable[..., CourseFacts]
KEY = "course-v1:Org+Demo+1"
RULE, TEXTS = f"/api/catalog/v1/listing/{KEY}", f"/api/catalog/v1/marketing/{KEY}"
DETAIL = f"/api/courses/v1/courses/{KEY}"
ALICE, RITA, STAFF = a_caller("alice"), a_caller("rita"), a_caller("greta", staff=True)
OTTO = a_caller("otto", org_roles=(("ORG", "staff"),))
PATCH = {"Content-Type": "application/merge-patch+json"}


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None: ...
    async def role(self, course: CourseFacts, caller: Caller) -> None: ...
    async def account(self, caller: Caller) -> None: ...
    async def allow(self, key: str, caller: Caller, *, removed: bool = False) -> None: ...


class Client(Protocol):
    async def get(self, url: str, caller: Caller | None = None) -> httpx.Response: ...
    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        caller: Caller | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response: ...
    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]: ...
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


async def test_the_team_its_organization_and_global_staff_set_the_rule(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course())
    await bus.role(a_course(), RITA)
    for number, caller in enumerate((RITA, OTTO, STAFF), 1):
        answer = await client.send("PUT", RULE, {"audience": "authenticated"}, caller)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["version"], answer.json()["changed_by"]) == (number, caller.username)
    assert (await client.send("PUT", RULE, {}, None)).status_code == 401
    assert (await client.send("PUT", RULE, {}, ALICE)).status_code == 403
    assert (await client.get(RULE, ALICE)).status_code == 403
    await bus.hear(a_course(version=2, visible_to_staff_only=True))
    hidden = await client.send("PUT", RULE, {}, ALICE)
    assert (hidden.status_code, hidden.json()["error_code"]) == (404, "course_not_found")


@pytest.mark.parametrize(
    ("rule", "seen_by"),
    [
        ({}, "anyone alice rita greta"),
        ({"audience": "authenticated"}, "alice rita greta"),
        ({"audience": "listed"}, "rita greta"),
        ({"audience": "listed", "domains": ["EXAMPLE.com"]}, "alice rita greta"),
        ({"audience": "listed", "domains": ["@com"]}, "alice rita greta"),
        ({"audience": "listed", "domains": ["xample.com"]}, "rita greta"),
        ({"audience": "listed", "invitees": ["Alice"]}, "alice rita greta"),
        ({"audience": "listed", "invitees": ["ALICE@example.com"], "domains": ["a.b"]}, "alice rita greta"),
        ({"listed_from": "2999-01-01T00:00:00Z"}, "rita greta"),
        ({"listed_until": "2001-01-01T00:00:00+02:00"}, "rita greta"),
        ({"audience": "listed", "invitees": ["alice"], "listed_until": "2001-01-01T00:00:00Z"}, "rita greta"),
        ({"only_during_enrollment": True}, "rita greta"),
    ],
)
async def test_lists_and_details_obey_the_rule(
    client: Client, bus: Bus, a_course: MakeCourse, rule: dict[str, object], seen_by: str
) -> None:
    await bus.hear(a_course(enrollment_end="2020-01-01T00:00:00Z"))
    await bus.role(a_course(), RITA)
    for caller in (ALICE, RITA):
        await bus.account(caller)
    answer = await client.send("PUT", RULE, rule, STAFF)
    assert answer.status_code == 200, answer.text
    for _ in range(2):  # a publish changes nothing about it
        for name, caller in (("anyone", None), ("alice", ALICE), ("rita", RITA), ("greta", STAFF)):
            query = f"?username={name}" if caller else ""
            for asking in {caller, STAFF} if caller else {caller}:  # global staff see what the person sees
                listed = await client.ids(f"/api/courses/v1/courses/{query}", asking)
                assert (listed == [KEY]) == (name in seen_by.split()), name
        await bus.hear(a_course(version=2, enrollment_end="2020-01-01T00:00:00Z"))
    detail = await client.get(f"{DETAIL}?username=alice", ALICE)
    assert detail.status_code == (200 if "alice" in seen_by.split() else 404)


async def test_the_allowed_list_opens_a_course_that_is_closed_to_others(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    closed = {"start": "2999-01-01T00:00:00Z", "invitation_only": True}
    await bus.hear(a_course(**closed))
    url = "/api/courses/v1/courses/?username=alice"
    assert await client.ids(url, ALICE) == []
    await bus.allow(KEY, ALICE)
    assert await client.ids(url, ALICE) == [KEY]
    assert await client.ids(f"{url}&permissions=enroll", ALICE) == [KEY]
    assert await client.ids(f"{url}&permissions=load", ALICE) == []
    assert await client.ids("/api/catalog/v1/courses/?search_term=demo", ALICE) == [KEY]
    assert (await client.get(f"{DETAIL}?username=alice", ALICE)).status_code == 200
    assert await client.ids() == []
    await bus.allow(KEY, ALICE, removed=True)
    assert await client.ids(url, ALICE) == []
    await bus.allow(KEY, ALICE)
    await bus.hear(a_course(version=2, visible_to_staff_only=True, **closed))
    assert await client.ids(url, ALICE) == []


async def test_a_patch_changes_parts_and_null_takes_away(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    await client.send(
        "PUT", RULE, {"audience": "listed", "invitees": ["b", "a"], "listed_from": "2020-01-01T00:00:00Z"}, STAFF
    )
    answer = await client.send("PATCH", RULE, {"listed_from": None, "domains": ["x.org"]}, STAFF, headers=PATCH)
    found = answer.json()
    assert (found["audience"], found["invitees"], found["domains"]) == ("listed", ["a", "b"], ["x.org"])
    assert found["listed_from"] is None
    assert (await client.body(RULE, STAFF)) == found


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        (RULE, {"audience": "nobody"}, 400),
        (RULE, {"domains": "x.org"}, 400),
        (RULE, {"domains": ["not a domain"]}, 400),
        (RULE, {"invitees": ["a\x00b"]}, 400),
        (RULE, {"invitees": [1]}, 400),
        (RULE, {"listed_from": "2020-01-01"}, 400),
        (RULE, {"listed_from": "2021-01-01T00:00:00Z", "listed_until": "2020-01-01T00:00:00Z"}, 400),
        (RULE, b'{"listed_from": 1' + b"0" * 60 + b"}", 400),
        (RULE, {"listed_from": "0001-01-01T00:00:00+14:00"}, 400),
        (RULE, {"listed_until": "9999-12-31T23:00:00-14:00"}, 400),
        (RULE, {"colour": "red"}, 400),
        (TEXTS, {"name": ""}, 400),
        (TEXTS, {"name": "x" * 256}, 400),
        (TEXTS, {"image": "javascript:alert(1)"}, 400),
        (TEXTS, {"image": "https://cdn.example/a\x00b"}, 400),
        (TEXTS, {"image": "https://cdn.example/a\x7fb"}, 400),
        (TEXTS, {"overview": "a\x7fb"}, 400),
        (TEXTS, b'{"name": "\\ud800"}', 400),
        (TEXTS, b'{"name": NaN}', 400),
        (TEXTS, b"[]", 400),
        (TEXTS, b"\xff", 400),
        (TEXTS, b"[" * 5000, 400),
        (TEXTS, b'{"a":' * 200 + b"1" + b"}" * 200, 400),
        ("/api/catalog/v1/listing/course-v1:No+Such+1", {}, 404),
        ("/api/catalog/v1/listing/nonsense", {}, 400),
        ("/api/catalog/v1/listing/course-v1:a+b+%00", {}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_and_stores_nothing(
    client: Client, bus: Bus, a_course: MakeCourse, url: str, body: object, status: int
) -> None:
    await bus.hear(a_course())
    answer = await client.send("PUT", url, body, STAFF)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error_code"]
    assert (await client.body(RULE, STAFF))["version"] == 0


async def test_other_types_of_body_are_refused(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    answer = await client.send(
        "PUT", RULE, b"a=1", STAFF, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 415


async def test_marketing_stands_over_the_authors_texts_and_survives_a_publish(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    authors = {"overview": "<p>Authors</p>", "short_description": "Short", "effort": "3 h"}
    await bus.hear(a_course(about=authors))
    texts = {
        "name": "Advertised",
        "short_description": "Better",
        "overview": "<p>Sold</p>",
        "image": "https://cdn.example/x.jpg",
        "video": "https://youtu.be/abcdef1",
    }
    assert (await client.send("PUT", TEXTS, texts, STAFF)).status_code == 200
    for version in (1, 2):
        await bus.hear(a_course(version=version, about=authors))
        found = await client.body(DETAIL)
        assert (found["name"], found["short_description"], found["overview"]) == ("Advertised", "Better", "<p>Sold</p>")
        assert found["effort"] == "3 h"
        assert found["media"]["course_image"]["uri"] == "https://cdn.example/x.jpg"
        assert found["media"]["course_video"]["uri"] == "http://www.youtube.com/watch?v=abcdef1"
        assert await client.ids("/api/courses/v1/courses/?search_term=advert") == [KEY]
    answer = await client.send("PATCH", TEXTS, {"name": None, "overview": None}, STAFF, headers=PATCH)
    assert (answer.json()["name"], answer.json()["short_description"]) == (None, "Better")
    found = await client.body(DETAIL)
    assert (found["name"], found["overview"]) == ("Course Demo", "<p>Authors</p>")
    assert await client.ids("/api/courses/v1/courses/?search_term=advert") == []


async def test_settings_outlive_a_course_that_is_deleted_and_made_again(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course())
    await client.send("PUT", RULE, {"audience": "authenticated"}, STAFF)
    await bus.hear(CourseDeleted(course_id=KEY, version=2))
    assert (await client.get(RULE, STAFF)).status_code == 404
    await bus.hear(a_course(version=3))
    assert (await client.body(RULE, STAFF))["audience"] == "authenticated"
    assert await client.ids() == []
