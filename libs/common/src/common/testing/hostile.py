"""Requests that nobody means well with, made from an application's own description of its routes.

Each route is asked with bodies that cannot be read, with every field it documents holding what no field should, with
every parameter and header at the edge of what can be parsed, and at addresses that name nothing.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final
from urllib.parse import quote

import asyncpg
import httpx
from starlette.types import ASGIApp, Receive, Scope
from starlette.types import Send as ASGISend

from common.resources import Resources

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 416, 422})
WITH_BODY: Final = ("POST", "PUT", "PATCH")
# of processor time, with the application in the test's own process: what is slow by itself, whoever else is at work
_MOST_SECONDS: Final = 1.0


def _nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


# Not to be read as JSON, or not to be stored: whoever reads a body refuses each of them.
UNREADABLE: Final[Mapping[str, bytes]] = {
    "arrays 1000 deep": b'{"a":' + _nested(1000).encode() + b"}",
    "objects 1000 deep": _nested(1000, '{"a":', "}").replace(":}", ":1}").encode(),
    "arrays 100000 deep": _nested(100_000).encode(),
    "objects 100000 deep": _nested(100_000, '{"a":', "}").replace(":}", ":1}").encode(),
    "unclosed": b"[" * 100_000,
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "a lone surrogate as a name": b'{"\\udfff":1}',
    "a NUL": b'{"a":"\\u0000"}',
    "a NUL as a name": b'{"\\u0000":1}',
    "a bare NUL": b'{"a":"\0"}',
    "broken UTF-8": b'{"a":"\xff\xc3"}',
    "a form": b"a=1&b=%00",
    "half": b'{"a"',
    "a text": b'"text"',
    "a number": b"1e400",
    "a list of lists": b"[[],[[]]]",
    "null": b"null",
}

# What some readers take for JSON and others not; either is right, but neither may fail.
ODD: Final[Mapping[str, bytes]] = {
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "nothing": b"",
    "5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "beyond a double": b'{"a":1e400}',
    "a name twice": b'{"a":1,"a":{"b":2}}',
    "a megabyte": b'{"a":"' + b"x" * 1_000_000 + b'"}',
    "a megabyte as a name": b'{"' + b"x" * 1_000_000 + b'":1}',
    "arrays 300 deep": b'{"a":' + _nested(300).encode() + b"}",
}
_FORMS: Final = (b"{}", b"a=%00&b=%FF%C3&a=1", b"&".join(b"payload=%5B" for _ in range(1000)))

# What a field can hold that a parser lets pass; in JSON's own spelling, since Python's writer would refuse to spell it.
VALUES: Final[Mapping[str, str]] = {
    "arrays 40 deep": _nested(40),
    "arrays 300 deep": _nested(300),
    "objects 300 deep": _nested(300, '{"a":', "}").replace(":}", ":1}"),
    "5000 digits": "9" * 5000,
    "beyond bigint": "9223372036854775808",
    "below bigint": "-9223372036854775809",
    "beyond 64 bits": "18446744073709551616",
    "beyond a double": "1e400",
    "hardly more than nothing": "-1e-400",
    "a lone surrogate": '"\\ud800"',
    "a NUL": '"x\\u0000"',
    "a megabyte": f'"{"x" * 1_000_000}"',
    "empty": '""',
    "null": "null",
    "true": "true",
    "a name twice": '{"a":1,"a":{"a":2}}',
    "controls": '"\\u007f\\u001b\\u2028\\ufffe\\ud83d\\ude00"',
    "a day before the first": '"0001-01-01T00:00:00+23:59"',
    "a day after the last": '"9999-12-31T23:59:59.999999-23:59"',
    "no day": '"2026-02-30T25:61:61Z"',
    "half an address": '"https://[::1/x"',
    "a list of it all": '[null,true,-1,"",[],{},"\\u0000"]',
}

# The same for addresses and queries, where everything is text.
TEXTS: Final[Mapping[str, str]] = {
    "a NUL": "%00",
    "a NUL inside": "a%00b",
    "half a surrogate": "%ED%A0%80",
    "broken UTF-8": "%FF%C3",
    "a newline": "x%0A",
    "5000 digits": "9" * 5000,
    "minus 5000 digits": "-" + "9" * 5000,
    "beyond bigint": "9223372036854775808",
    "beyond 64 bits": "18446744073709551616",
    "other digits": quote("٣"),
    "a power": "1e400",
    "NaN": "nan",
    "empty": "",
    "20,000 letters": "x" * 20_000,
    "brackets": quote("[" * 2000),
    "a day before the first": quote("0001-01-01T00:00:00+23:59"),
    "a day after the last": quote("9999-12-31T23:59:59.999999-23:59"),
    "a path": "..%2F..%2Fx",
    "half an address": quote("https://[::1/x"),
}

# What headers can hold; most of it is for routes that read numbers, dates and names out of them.
HEADERS: Final[Mapping[str, Sequence[str]]] = {
    "if-match": ['"' + "9" * 5000 + '"', '"', '"\xff"', "*,*" * 1000],
    "if-none-match": ['"' + "9" * 5000 + '"', '"\xff"'],
    "if-modified-since": [
        "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 99999 00:00:00 GMT",
        "9" * 5000,
    ],
    "range": [f"bytes={'9' * 5000}-", f"bytes=0-{'9' * 5000}", f"bytes=-{'9' * 5000}", "bytes=\xb2-\xb3", "bytes=9-1"],
    "accept": [f"text/html;q={'9' * 5000}", "text/html;q=nan", "*/*;q=1e400", ";;;,,,", "\xff"],
    "accept-language": [f"en;q={'9' * 5000}", "\xff"],
    "content-type": ["", ";", "application/json; charset=utf-99", "multipart/form-data; boundary=", "\xff/\xff"],
    "idempotency-key": ["\xff", "x" * 5000],
    "content-range": [f"bytes 0-1/{'9' * 5000}", f"bytes {'9' * 5000}-1/2", "bytes \xb2-\xb3/\xb9"],
    "origin": ["https://[::1", "\xff", "null"],
    "x-forwarded-host": ["[::1", "\xff"],
    "content-disposition": ["attachment; filename*=utf-99''%FF", 'attachment; filename="\xff"'],
}  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    url: str
    route: str
    what: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    unreadable: bool = False
    """Whether the body is one that whoever reads bodies there has to refuse."""

    def __str__(self) -> str:
        return f"{self.method} {self.url[:150]} ({self.route}): {self.what}"


Json = Mapping[str, object]
Send = Callable[[Ask], Awaitable[httpx.Response]]


class Description:
    """An application's OpenAPI document, and addresses that its templates can be filled with.

    `fills` says what stands for a parameter of a path (`place`) or for a whole template (`/course/{place}`); `bodies`
    what a good body of a template has, beside what its schema requires; `names` which parameters routes read without
    documenting them.
    """

    def __init__(
        self,
        document: Json,
        fills: Mapping[str, str],
        *,
        bodies: Mapping[str, Json] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self._document, self._fills, self._bodies, self._names = document, fills, bodies or {}, names

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Method, template and operation; of one function at several addresses only the first. What deletes is last."""
        found: dict[str, tuple[str, str, Json]] = {}
        for template, methods in _mapping(self._document["paths"]).items():
            for method, operation in _mapping(methods).items():
                same = json.dumps({**_mapping(operation), "operationId": method}, sort_keys=True)
                found.setdefault(same, (method.upper(), template, _mapping(operation)))
        yield from sorted(found.values(), key=lambda one: one[0] == "DELETE")

    def address(self, template: str, **instead: str) -> str:
        """The template, filled."""
        if template in self._fills and not instead:
            return self._fills[template]
        address = template
        for name in names_in(template):
            address = address.replace(f"{{{name}}}", instead.get(name) or self._fills.get(name, "none"))
        return address

    def _addresses(self, template: str, name: str, value: str) -> Iterator[str]:
        """*value* in place of a good one, at its end, and behind it."""
        yield self.address(template, **{name: value})
        whole, good = self._fills.get(template), self._fills.get(name, "none")
        for joint in ("", "/"):
            ending = f"{joint}{value}"
            yield f"{whole}{ending}" if whole else self.address(template, **{name: f"{good}{ending}"})

    def bodies(self) -> Iterator[Ask]:
        """Every body that cannot be read, at every route that takes one."""
        for method, template, operation in self.operations():
            if method not in WITH_BODY:
                continue
            url, takes = self.address(template), _media_types(operation)
            for media_type in takes or [JSON]:
                must = media_type == JSON and bool(takes)
                for what, content in UNREADABLE.items():
                    sent = {"content-type": media_type}
                    yield Ask(method, url, template, f"{what} as {media_type}", content, sent, unreadable=must)
                for what, content in ODD.items():
                    yield Ask(method, url, template, f"{what} as {media_type}", content, {"content-type": media_type})
            for media_type in (FORM, "text/plain", "multipart/form-data; boundary=x", "application/octet-stream"):
                for content in _FORMS:
                    what = f"{content[:9]!r} as {media_type}"
                    yield Ask(method, url, template, what, content, {"content-type": media_type})

    def fields(self) -> Iterator[Ask]:
        """Every value in every documented field of every body."""
        for method, template, operation in self.operations():
            url = self.address(template)
            for media_type, content in _contents(operation).items():
                if "json" not in media_type:
                    continue
                for where, text in self.spots(_mapping(content.get("schema", {})), self._bodies.get(template, {})):
                    for what, value in VALUES.items():
                        sent = text.replace("@@", value).encode()
                        yield Ask(method, url, template, f"{where} is {what}", sent, {"content-type": media_type})

    def parameters(self) -> Iterator[Ask]:
        """Every value in every parameter of every path and query, and in headers."""
        for method, template, operation in self.operations():
            content, sent = (b"{}" if method in WITH_BODY else b""), {"content-type": JSON}
            for name in names_in(template):
                for what, value in TEXTS.items():
                    for url in self._addresses(template, name, value) if value else ():
                        yield Ask(method, url, template, f"{name} is {what}", content, sent)
            url = self.address(template)
            documented = [
                str(one["name"])
                for one in map(_mapping, _list(operation.get("parameters", [])))
                if one.get("in") == "query"
            ]
            for name in dict.fromkeys([*documented, *(self._names if method == "GET" else ())]):
                for what, value in TEXTS.items():
                    yield Ask(method, f"{url}?{name}={value}", template, f"?{name} is {what}", content, sent)
            for name, values in HEADERS.items():
                for value in values:
                    yield Ask(method, url, template, f"{name}: {value[:20]!r}", content, {**sent, name: value})

    def spots(self, schema: Json, base: Json, deep: int = 3) -> Iterator[tuple[str, str]]:
        """JSON texts with `@@` where a value of *schema* can stand, and what the place is called."""
        yield "it", "@@"
        schema = self._resolved(schema)
        if deep == 0:
            return
        if schema.get("type") == "array":
            for where, text in self.spots(_mapping(schema.get("items", {})), {}, deep - 1):
                yield f"[{where}]", f"[{text}]"
        elif properties := _mapping(schema.get("properties", {})) or {name: {} for name in base}:
            required = _list(schema.get("required", []))
            good = {str(name): self._good(_mapping(properties.get(str(name), {}))) for name in required} | dict(base)
            for name, inner in properties.items():
                rest = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in good.items() if key != name)
                for where, text in self.spots(_mapping(inner), {}, deep - 1):
                    yield f"{name}.{where}", f"{{{json.dumps(name)}:{text}{rest}}}"
            rest = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in good.items())
            yield "an unknown field", f'{{"unknown":@@{rest}}}'
        elif schema.get("type") == "object" or not schema:
            yield "a field of it", '{"a":@@}'

    def _resolved(self, schema: Json) -> Json:
        """What a reference leads to; of several choices the first that is not null."""
        while True:
            if isinstance(reference := schema.get("$ref"), str):
                schema = self._document
                for part in reference.removeprefix("#/").split("/"):
                    schema = _mapping(schema.get(part, {}))
            elif choices := _list(schema.get("anyOf") or schema.get("oneOf") or []):
                schema = next((one for one in map(_mapping, choices) if one.get("type") != "null"), {})
            else:
                return schema

    def _good(self, schema: Json) -> object:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if choices := _list(schema.get("enum", [])):
            return choices[0]
        good: dict[object, object] = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
        return good.get(schema.get("type"), "x")


def names_in(template: str) -> list[str]:
    """The parameters of a path."""
    return [part.split("}")[0] for part in template.split("{")[1:]]


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _contents(operation: Json) -> Mapping[str, Json]:
    contents = _mapping(_mapping(operation.get("requestBody", {})).get("content", {}))
    return {media_type: _mapping(content) for media_type, content in contents.items()}


def _media_types(operation: Json) -> Sequence[str]:
    return [media_type for media_type in _contents(operation) if "*" not in media_type]


@asynccontextmanager
async def open_sender(
    app: ASGIApp, resources: Resources, headers: Callable[[Ask], Mapping[str, str]]
) -> AsyncIterator[Send]:
    """Sends requests to *app* in this process, with *headers* beside their own; what fails in it is raised here."""

    async def serving(scope: Scope, receive: Receive, send: ASGISend) -> None:
        await app({**scope, "state": {"resources": resources}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(serving), base_url="http://lectern.test") as http:

        async def send(ask: Ask) -> httpx.Response:
            return await http.request(
                ask.method, ask.url, content=ask.content, headers=in_bytes({**headers(ask), **ask.headers})
            )

        yield send


def in_bytes(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As they go over the wire, where they need not be ASCII."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def bear(asks: Iterable[Ask], send: Send, pool: asyncpg.Pool, *, every: int = 1) -> int:
    """Send every how-manieth request; how many were sent.

    None of them fails or takes long, what cannot be read is refused, a refusal is JSON or a page, and where all of a
    route's answers are refusals no table has another row.
    """
    sent = 0
    rows = await _count_rows(pool)
    for (method, route), group in groupby(islice(asks, 0, None, every), key=lambda ask: (ask.method, ask.route)):
        refused = True
        for ask in group:
            started = time.process_time()
            answer = await send(ask)
            assert time.process_time() - started < _MOST_SECONDS, f"{ask}: slow"
            assert answer.status_code < 400 or answer.status_code in REFUSALS, f"{ask}: {answer.status_code}"
            assert not ask.unreadable or answer.status_code >= 400, f"{ask}: taken"
            if answer.status_code < 400:
                refused = False
            elif answer.content and not answer.headers["content-type"].startswith("text/"):
                assert isinstance(answer.json(), dict | str), f"{ask}: {answer.text[:200]}"
            sent += 1
        now = await _count_rows(pool)
        assert now == rows or not refused, f"{method} {route} wrote"
        rows = now
    return sent


async def _count_rows(pool: asyncpg.Pool) -> Mapping[str, int]:
    tables = await pool.fetch(
        "select quote_ident(relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    counts = await pool.fetchrow(
        "select " + ", ".join(f"(select count(*) from {name}) as {name}" for (name,) in tables)
    )
    return dict(counts)
