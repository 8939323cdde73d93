"""Every wrong value of every parameter, wrong keys, huge values, NULs: the right status in the family's shape."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import httpx
import pytest

from common.identity import Caller
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseFacts

MakeCourse = Callable[..., CourseFacts]
LIST, IDS, OWN = "/api/courses/v1/courses/", "/api/courses/v1/course_ids/", "/api/catalog/v1/courses/"
PROGRAMS, MODES = "/api/programs/v1/programs/", "/api/course_modes/v1/courses/"
RULE, TEXTS = "/api/catalog/v1/listing/", "/api/catalog/v1/marketing/"
KEY = "course-v1:Org+Demo+1"
ALICE, STAFF = a_caller("alice"), a_caller("greta", staff=True)
HUGE = "x" * 20_000


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...


class Client(Protocol):
    async def get(
        self, url: str, caller: Caller | None = None, *, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> httpx.Response: ...
    async def send(
        self, method: str, url: str, body: object = None, caller: Caller | None = None
    ) -> httpx.Response: ...
    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]: ...


def has_shape_of(url: str, answer: httpx.Response) -> bool:
    """A refusal as clients of that family read it."""
    if url == "/":
        return answer.headers["content-type"].startswith("text/html")
    body = answer.json()
    if url.startswith("/api/courses/"):
        return bool(body.get("developer_message") or body.get("field_errors"))
    if url.startswith("/api/course_modes/"):
        return isinstance(body.get("detail"), str)
    return answer.headers["content-type"] == "application/problem+json" and "error_code" in body


NUL = "Null characters are not allowed."
NO_KEY, NO_BOOLEAN = "'{}' is not a valid course key.", "Invalid Boolean Value."
NOT_BOOLEANS = ["yes", "TRUE", "tRue", "2", "-1", " ", "null", "true,false", "1\0", "é", HUGE]
NOT_KEYS = ["nonsense", "course-v1:a+b", "a/b/c/d", "course-v1:a+b+c+d", "course-v1:a+b+c\0", "a+b", "'", HUGE]
REFUSED: Mapping[str, list[tuple[str, str]]] = {
    "mobile": [(value, NO_BOOLEAN) for value in NOT_BOOLEANS],
    "active_only": [(value, NO_BOOLEAN) for value in NOT_BOOLEANS],
    "mobile_search": [(value, NO_BOOLEAN) for value in NOT_BOOLEANS],
    "course_keys": [
        *((value, NO_KEY.format(value)) for value in NOT_KEYS),
        (f"{KEY},nonsense", NO_KEY.format("nonsense")),
        (f"{KEY},", "This field cannot be empty."),
        (",", "This field cannot be empty."),
    ],
    "permissions": [
        ("fly", "'fly' is not a known permission."),
        ("staff\0", "'staff\0' is not a known permission."),
        ("staff,Staff", "'Staff' is not a known permission."),
        ("staff,", "This field cannot be empty."),
        (HUGE, f"'{HUGE}' is not a known permission."),
    ],
    "org": [("Org\0", NUL)],
    "search_term": [("\0", NUL)],
    "username": [("alice\0", NUL)],
}


@pytest.mark.parametrize("url", [LIST, OWN])
@pytest.mark.parametrize("name", REFUSED)
async def test_a_wrong_value_is_refused_by_field(client: Client, url: str, name: str) -> None:
    for value, message in REFUSED[name]:
        answer = await client.get(f"{url}?{urlencode({name: value, 'page_size': '5'})}", ALICE)
        assert answer.status_code == 400, (value[:50], answer.text[:200])
        assert answer.json()["field_errors"] == {name: {"developer_message": message}}
        assert has_shape_of(url, answer)


@pytest.mark.parametrize(
    ("url", "field", "value"),
    [
        (f"{LIST}{KEY}?username=alice%00", "username", NUL),
        (f"{IDS}?role=staff&username=alice%00", "username", NUL),
        (f"{IDS}?role=staff%00", "role", NUL),
        (f"{IDS}?role=", "role", "This field is required."),
        (f"{IDS}?role={HUGE}", "role", f"'{HUGE}' is not a role in a course."),
        (f"{OWN}?language=%00", "language", NUL),
        (f"{OWN}?mode=%00", "mode", NUL),
        (f"{OWN}?pacing=%00", "pacing", NUL),
        (f"{OWN}?pacing=Self", "pacing", "'Self' is not a pace; there are self and instructor."),
        (f"{OWN}?sort=name", "sort", "'name' is not an order; there are relevance and id."),
        (f"{OWN}?sort=relevance", "sort", "An order by relevance needs a search_term."),
        (f"{PROGRAMS}?search=%00", "search", NUL),
        (f"{PROGRAMS}?org=%00", "org", NUL),
    ],
)
async def test_parameters_of_the_others_are_refused_by_field(client: Client, url: str, field: str, value: str) -> None:
    answer = await client.get(url, ALICE)
    assert answer.status_code == 400, answer.text
    assert answer.json()["field_errors"] == {field: {"developer_message": value}}
    assert has_shape_of(url, answer)


PAGES = ["0", "-1", "last", "x", "1.5", "1e0", " 1", "+1", "1\0", "٣", "2", "9" * 17, "9" * 18, "9" * 400]


@pytest.mark.parametrize("url", [LIST, f"{IDS}?role=staff", OWN, f"{OWN}?search_term=course", PROGRAMS, "/"])
async def test_a_page_that_is_not_there_is_404_whatever_it_is_called(
    client: Client, bus: Bus, a_course: MakeCourse, url: str
) -> None:
    await bus.hear(a_course())
    joint = "&" if "?" in url else "?"
    for page in PAGES:
        answer = await client.get(f"{url}{joint}page={quote(page)}", ALICE)
        assert answer.status_code == 404, (page[:50], answer.text[:200])
        assert "Invalid page." in answer.text
        assert has_shape_of(url, answer)


SIZES = {"": 3, "0": 3, "-3": 3, "x": 3, "1.5": 3, "1\0": 3, "9" * 400: 3, "2": 2, "9" * 17: 3}


@pytest.mark.parametrize("url", [LIST, f"{IDS}?role=x", OWN, f"{OWN}?search_term=course"])
async def test_an_odd_page_size_is_the_default_and_a_large_one_the_maximum(
    client: Client, bus: Bus, a_course: MakeCourse, url: str
) -> None:
    await bus.hear(*(a_course(f"C{number}") for number in range(3)))
    for size, shown in SIZES.items():
        joint = "&" if "?" in url else "?"
        body = await client.body(f"{url}{joint}username=greta&page_size={quote(size)}", STAFF)
        assert len(body["results"]) == shown, size[:50]
        assert body["pagination"]["count"] == 3


def coded(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(text if isinstance(text, bytes) else text.encode()).decode().rstrip("=")


CURSORS = {
    LIST: ["x", "\0", "é", HUGE, coded("1.2"), coded("x.y.z"), coded("1.-2.k"), coded("0.1.k"), coded("1.1.\0"),
           coded(f"1.{'f' * 4000}.k"), coded(b"\xff\xfe"), coded("r1 k")],
    f"{OWN}?search_term=course": ["x", HUGE, coded("rnan k"), coded("r-0x1p0 k"), coded("rinf k"),
                                  coded("r0x1p99999 k"), coded("r0x1p40 k"), coded("r0x1p0 \0"), coded("1.1.k")],
}  # fmt: skip


@pytest.mark.parametrize("url", CURSORS)
async def test_what_is_no_cursor_is_refused(client: Client, bus: Bus, a_course: MakeCourse, url: str) -> None:
    await bus.hear(a_course())
    for cursor in CURSORS[url]:
        joint = "&" if "?" in url else "?"
        answer = await client.get(f"{url}{joint}cursor={quote(cursor)}")
        assert answer.status_code == 400, (cursor[:50], answer.text[:200])
        message = {"developer_message": "This is not a cursor of a page."}
        assert answer.json()["field_errors"] == {"cursor": message}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("nothing", 404),
        ("a/b", 404),
        ("a+b", 404),
        ("%00", 404),
        ("course-v1:a+b+", 404),
        ("a+b+c", 400),
        ("course-v1:a+b+c+d", 400),
        ("course-v1:a+b+%00", 400),
        ("course-v1:a+b+c%0A", 404),
        ("course-v1:a+b+c%20", 400),
        ("course-v1:a+b+%F0%9F%98%80", 400),
        ("course-v1:a+b+c+branch@draft-branch", 400),
        ("block-v1:a+b+c+type@course+block@course", 400),
        (f"course-v1:a+b+{'c' * 300}", 400),
        ("'%20or%201=1/x/y", 400),
    ],
)
async def test_what_is_no_course_key_is_404_or_400_as_its_form_says(client: Client, given: str, status: int) -> None:
    answer = await client.get(f"{LIST}{given}")
    assert answer.status_code == status, answer.text
    if status == 404:
        assert answer.json() == {"developer_message": "Not found.", "error_code": "not_found"}
    else:
        message = answer.json()["field_errors"]["course_key"]["developer_message"]
        assert message.endswith("' is not a valid course key.")


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        *(("GET", f"{MODES}{place}", 404) for place in ("x", "a/b", "%00", f"{KEY}/%00", f"{KEY}/{HUGE}", f"{HUGE}/a")),
        *(("DELETE", f"{MODES}{place}", 404) for place in (f"{KEY}/a", f"{KEY}/%00", "x/y", f"{KEY}/a/b")),
        *(("PUT", f"{place}{key}", 400) for place in (RULE, TEXTS) for key in ("x", "a/b/%00", HUGE, f"{KEY}+d")),
        *((method, f"{PROGRAMS}{uuid}/", 404) for method in ("GET", "DELETE") for uuid in ("x", "%00", "1" * 33, HUGE)),
        ("PATCH", f"{PROGRAMS}x/", 404),
        ("GET", "/api/operations/v1/course-catalog/parked/x", 400),
        ("POST", "/api/operations/v1/course-catalog/rebuilds/%00", 404),
    ],
)  # fmt: skip
async def test_addresses_of_nothing_are_refused_in_the_familys_shape(
    client: Client, bus: Bus, a_course: MakeCourse, method: str, url: str, status: int
) -> None:
    await bus.hear(a_course())
    answer = await client.send(method, url, {}, STAFF)
    assert answer.status_code == status, answer.text[:300]
    assert has_shape_of(url, answer)


NASTY = ["\0", "", " ", "'\"--", "%", "\\", "é\u202e😀", "\ufffe", "[]", "{}", "null", "-1", "1e999", "9" * 400, HUGE]


def parameters(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, operations in document["paths"].items():
        for each in operations.get("get", {}).get("parameters", ()):
            if each["in"] == "query":
                yield path, each["name"]


async def test_no_value_of_any_documented_parameter_breaks_anything(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course())
    asked = list(parameters((await client.get("/openapi.json")).json()))
    assert {path for path, _ in asked} >= {LIST, IDS, OWN, PROGRAMS, f"{LIST}{{course_key}}"}
    for path, name in asked:
        url = path.format(course_key=KEY, service="course-catalog")
        for value in NASTY:
            answer = await client.get(f"{url}?{urlencode({name: value})}", ALICE)
            assert answer.status_code in {200, 400, 403, 404}, (url, name, value[:50], answer.text[:200])
            assert answer.status_code == 200 or has_shape_of(url, answer), (url, name, value[:50])


async def test_bytes_that_are_no_text_are_read_as_such(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course())
    for query in ("org=%FF%FE", "search_term=%C3", "%00=%00", "&&;;", "org", "=", "course_keys"):
        answer = await client.get(f"{LIST}?{query}")
        assert answer.status_code == 200, (query, answer.text)


@pytest.mark.parametrize("url", [LIST, IDS, f"{LIST}{KEY}", OWN, "/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_reads_take_no_other_method(client: Client, url: str, method: str) -> None:
    answer = await client.send(method, url, {}, STAFF)
    assert answer.status_code == 405
    assert answer.headers["content-type"].split("+")[0].split(";")[0] in {"application/json", "application/problem"}
