"""What every service's application does at its edge, through a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from common.app import add_plain_route, build_app
from common.errors import MethodNotAllowed, NotFound

router = APIRouter()


@router.get("/things/{name}")
async def read_thing(name: str) -> Response:
    if name == "none":
        raise NotFound("There is no such thing.")
    return PlainTextResponse(f"a thing named {name}", headers={"ETag": '"1"'})


@router.get("/streams")
async def read_stream() -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    return StreamingResponse(parts())


@router.post("/orders/")
async def place_order() -> Response:
    return PlainTextResponse("placed", 201)


@router.put("/things/{name}")
async def write_thing(name: str) -> Response:
    return PlainTextResponse(f"{name} written")


@router.delete("/parcels/{number:path}")
async def cancel_parcel(number: str) -> Response:
    return Response(status_code=204)


@router.patch("/parcels/{number:path}")
async def change_parcel(number: str) -> Response:
    raise NoParcelYet


class NoParcelYet(MethodNotAllowed):
    """There is no parcel yet."""


@router.get("/parcels/{number:path}")
async def read_parcel(number: str) -> Response:
    return PlainTextResponse(number)


@router.get("/broken")
async def read_broken() -> Response:
    raise RuntimeError("a defect")


async def list_plainly(_: Request) -> Response:
    return PlainTextResponse("plain")


add_plain_route(router, "/plain/", list_plainly)


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(SimpleNamespace(service="sample"), title="sample", routers=[router])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    await serving


@pytest.mark.parametrize("path", ["/things/one", "/things/one/", "/things/none", "/streams", "/nothing"])
async def test_head_says_what_get_says_without_the_body(http, path):
    got, headed = await http.get(path), await http.head(path)
    assert headed.status_code == got.status_code
    ignored = {"date", "x-request-id", "transfer-encoding"}
    assert {k: v for k, v in headed.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }
    assert got.content
    assert headed.content == b""


async def test_head_is_no_way_to_a_route_that_only_writes(http):
    assert (await http.head("/orders")).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/things/one", "GET, HEAD, OPTIONS, PUT"),
        ("POST", "/things/one/", "GET, HEAD, OPTIONS, PUT"),
        ("GET", "/orders/", "OPTIONS, POST"),
        ("HEAD", "/orders", "OPTIONS, POST"),
    ],
)
async def test_a_refused_method_hears_all_that_the_address_takes(http, method, path, allowed):
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/things/one", "GET, HEAD, OPTIONS, PUT"),
        ("/plain", "GET, HEAD, OPTIONS"),
        ("/orders", "OPTIONS, POST"),
        ("/parcels/a/b/", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
async def test_options_names_all_methods_of_an_address_and_so_does_a_refusal(http, path, allowed):
    asked = await http.options(path)
    assert (asked.status_code, asked.headers["allow"], asked.content) == (200, allowed, b"")
    refused = await http.request("TRACE", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
    assert refused.json()["error_code"] == "method_not_allowed"


async def test_a_route_that_refuses_is_not_among_the_methods_allowed(http):
    refused = await http.patch("/parcels/a")
    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")


async def test_options_of_an_address_that_is_none_is_not_found(http):
    assert (await http.options("/nothing")).status_code == 404


async def test_a_defect_says_that_the_connection_ends_with_its_answer(http):
    """The server closes it in any case; a request sent on it in good faith would be lost."""
    answer = await http.get("/broken")
    assert (answer.status_code, answer.headers["connection"]) == (500, "close")
    assert answer.json()["error_code"] == "internal_error"
    assert (await http.post("/orders")).status_code == 201


@pytest.mark.parametrize("path", ["/orders", "/orders/"])
async def test_both_slash_forms_answer_directly_on_writes_too(http, path):
    answer = await http.post(path)
    assert (answer.status_code, answer.text) == (201, "placed")


@pytest.mark.parametrize(
    ("path", "route"),
    [("/plain/", "/plain/"), ("/plain", "/plain/"), ("/things/one", "/things/{name}"), ("/nothing", "unmatched")],
)
async def test_requests_are_counted_by_the_template_of_their_route(http, path, route):
    async def count() -> float:
        lines = (await http.get("/metrics")).text.splitlines()
        head = f'lectern_http_requests_total{{method="GET",route="{route}",service="sample",'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(head))

    before = await count()
    for _ in range(2):
        await http.get(path)
    assert await count() == before + 2
