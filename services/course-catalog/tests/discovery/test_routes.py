"""The catalogue's own search over HTTP: relevance with cursors, facets, refusals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest

from common.identity import Caller
from common.testing.identity import a_caller
from common.testing.waiting import until
from course_catalog.courses.facts import CourseFacts

MakeCourse = Callable[..., CourseFacts]
OWN = "/api/catalog/v1/courses/"
RITA = a_caller("rita")


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...
    async def role(self, course: CourseFacts, caller: Caller) -> None: ...
    async def modes(self, key: str, modes: list[tuple[str, datetime | None]]) -> None: ...


class Client(Protocol):
    async def get(self, url: str, caller: Caller | None = None) -> httpx.Response: ...
    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]: ...


async def test_pages_by_relevance_are_followed_without_repetition(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    texts = [{"overview": "algebra"}, {"short_description": "algebra"}, {}]
    await bus.hear(
        *(
            a_course(f"C{n:02}", display_name="Algebra" if n % 3 == 2 else "Other", about=texts[n % 3])
            for n in range(15)
        )
    )
    url: str | None = f"{OWN}?search_term=algebra&page_size=4"
    seen: list[str] = []
    while url:
        body = await client.body(url)
        seen += [course["number"] for course in body["results"]]
        if len(seen) == 4:
            await bus.hear(a_course("A0", display_name="Algebra"), a_course("C02", version=2, display_name="Gone"))
        url = body["pagination"]["next"]
    ranks = {2: 0, 1: 1, 0: 2}
    assert seen == sorted((f"C{n:02}" for n in range(15)), key=lambda name: (ranks[int(name[1:]) % 3], name))
    assert (await client.get(f"{OWN}?search_term=algebra&page=9")).status_code == 404


async def test_facets_count_the_whole_list_of_whoever_asks(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    hidden = a_course("course-v1:Beta+H+1", visible_to_staff_only=True, language="ar", self_paced=True)
    await bus.hear(*(a_course(f"C{n}", language="en") for n in range(3)), hidden)
    await bus.role(hidden, RITA)
    soon = datetime.now(UTC) + timedelta(seconds=1.2)
    await bus.modes("course-v1:Org+C1+1", [("verified", None), ("honor", soon)])

    async def facets(caller: Caller | None = None, query: str = "") -> dict[str, dict[str, int]]:
        body = await client.body(f"{OWN}?page_size=1{query}", caller)
        return {name: {each["value"]: each["count"] for each in values} for name, values in body["facets"].items()}

    assert await facets() == {
        "org": {"Org": 3},
        "language": {"en": 3},
        "pacing": {"instructor": 3},
        "mode": {"audit": 2, "verified": 1, "honor": 1},
    }
    assert (await facets(RITA))["org"] == {"Org": 3, "Beta": 1}
    assert (await facets(query="&mode=verified"))["org"] == {"Org": 1}

    async def expired() -> bool:
        body = await client.body(f"{OWN}?mode=honor")
        return (await facets())["mode"] == {"audit": 2, "verified": 1} and body["pagination"]["count"] == 0

    assert (await client.body(f"{OWN}?mode=honor"))["pagination"]["count"] == 1
    await until(expired, timeout=5, what="expiry of a mode")
    assert "facets" not in await client.body(f"{OWN}?facets=0")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pacing=slow", "pacing"),
        ("sort=price", "sort"),
        ("sort=relevance", "sort"),
        ("search_term=a&cursor=x", "cursor"),
        ("search_term=a&cursor=cm5hbiBr", "cursor"),
        ("mobile=x", "mobile"),
    ],
)
async def test_bad_parameters_are_refused_by_field(client: Client, query: str, field: str) -> None:
    answer = await client.get(f"{OWN}?{query}")
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["field_errors"]
    assert answer.headers["content-type"] == "application/problem+json"
