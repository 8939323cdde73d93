"""Search in the database: beginnings of words, any script, nothing that a query could break out of."""

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import quote

import pytest

from common.identity import Caller
from course_catalog.courses import words
from course_catalog.courses.facts import CourseFacts

MakeCourse = Callable[..., CourseFacts]


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


COURSES = {
    "Latin": ("Élan vital: Ökonomie für Straßen", "An <b>intro</b>duction", "<p>Quantum</p><p>fields</p>"),
    "Greek": ("Ἀρχαία Ἑλλάδα", "", ""),
    "Cyrillic": ("Введение в алгебру", "", "Ёлка"),
    "Arabic": ("مُقَدِّمَة في البرمجة", "", ""),
    "Hindi": ("हिन्दी साहित्य का परिचय", "", ""),
    "Chinese": ("数据科学导论", "面向初学者的课程", ""),
    "Japanese": ("プログラミング入門コース", "", ""),
    "Thai": ("วิทยาการคอมพิวเตอร์เบื้องต้น", "", ""),
    "Korean": ("컴퓨터 과학 입문", "", ""),
    "Six.002x": ("Circuits", "", ""),
}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("elan", "Latin"),
        ("OKONOMIE strassen", "Latin"),
        ("straß", "Latin"),
        ("introduction", "Latin"),
        ("fields quant", "Latin"),
        ("antum", ""),
        ("αρχαια", "Greek"),
        ("алг введ", "Cyrillic"),
        ("елк", "Cyrillic"),
        ("مقدمة", "Arabic"),
        ("البرمجة", "Arabic"),
        ("साहित्य", "Hindi"),
        ("科学", "Chinese"),
        ("数据科学导论", "Chinese"),
        ("初学者 数据", "Chinese"),
        ("入門", "Japanese"),
        ("プログラミング入門コース", "Japanese"),
        ("คอมพิวเตอร์", "Thai"),
        ("과학", "Korean"),
        ("컴퓨", "Korean"),
        ("six.002x", "Six.002x"),
        ("002x", "Six.002x"),
        ("!!! ' & | <-> :* \\ ", ""),
        ("'a':* | 'b'", ""),
        ("elan " + "z" * 5000, ""),
        ("elan " * 3000, "Latin"),
        ("٣", ""),
    ],
)
async def test_a_search_finds_beginnings_of_words_in_every_script(
    client: Client, bus: Bus, a_course: MakeCourse, asked: str, found: str
) -> None:
    await bus.hear(
        *(
            a_course(key, display_name=name, about={"short_description": short, "overview": long})
            for key, (name, short, long) in COURSES.items()
        )
    )
    for url in ("/api/courses/v1/courses/", "/api/catalog/v1/courses/"):
        keys = await client.ids(f"{url}?page_size=100&search_term={quote(asked)}")
        assert [key.split("+")[1] for key in keys] == ([found] if found else []), url


async def test_the_better_match_comes_first_by_relevance_and_by_id_in_the_old_api(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(
        a_course("A", display_name="Other", about={"overview": "Algebra is mentioned"}),
        a_course("B", display_name="Other", about={"short_description": "Some algebra"}),
        a_course("C", display_name="Algebra"),
    )

    async def order(url: str) -> str:
        return "".join(key.split("+")[1] for key in await client.ids(url))

    assert await order("/api/courses/v1/courses/?search_term=alg") == "ABC"
    assert await order("/api/catalog/v1/courses/?search_term=alg") == "CBA"
    assert await order("/api/catalog/v1/courses/?search_term=alg&sort=id") == "ABC"


def test_a_query_holds_nothing_but_words() -> None:
    assert words.query("a'b & c\\:*") == "'a':* & 'b':* & 'c':*"
    assert words.query(" -- ") is None
