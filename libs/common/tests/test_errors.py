"""Every refusal leaves in its family's shape, and none in the framework's."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from common.errors import (
    Answer,
    Conflict,
    ErrorFamilies,
    NotFound,
    Refusal,
    detail_style,
    developer_message_style,
    error_style,
    install_error_handlers,
    message_style,
    problem_style,
)


class CourseFull(Conflict):
    """This course has no seat left.

    The second paragraph is for readers of the code.
    """

    code = "course_full"


class Body(BaseModel):
    name: str


def _app() -> FastAPI:
    router = APIRouter()

    @router.get("/{family}/full")
    async def full(family: str) -> None:
        raise CourseFull(course_id="x")

    @router.get("/{family}/bare")
    async def bare(family: str) -> None:
        raise NotFound(body="Username not specified.")

    @router.get("/{family}/empty")
    async def empty(family: str) -> None:
        raise NotFound(body="")

    @router.post("/{family}/body")
    async def body(family: str, body: Body) -> None:
        return None

    @router.get("/{family}/broken")
    async def broken(family: str) -> None:
        raise RuntimeError("boom")

    app = FastAPI()
    app.include_router(router)
    families = ErrorFamilies(
        [
            ("/developer", developer_message_style),
            ("/message", message_style),
            ("/detail", detail_style),
            ("/error", error_style),
        ]
    )
    install_error_handlers(app, families)
    return app


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


TEXT = "This course has no seat left."


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("developer", {"developer_message": TEXT, "error_code": "course_full", "course_id": "x"}),
        ("message", {"message": TEXT, "error_code": "course_full", "course_id": "x"}),
        ("detail", {"detail": TEXT, "error_code": "course_full", "course_id": "x"}),
        ("error", {"error": TEXT, "error_code": "course_full", "course_id": "x"}),
        (
            "ours",
            {
                "type": "about:blank",
                "title": "Conflict",
                "status": 409,
                "detail": TEXT,
                "error_code": "course_full",
                "course_id": "x",
            },
        ),
    ],
)
async def test_a_refusal_has_its_familys_shape(client, family, expected):
    answer = await client.get(f"/{family}/full")
    assert (answer.status_code, answer.json()) == (409, expected)


async def test_bare_strings_and_empty_bodies_of_upstream_are_possible(client):
    assert (await client.get("/message/bare")).text == '"Username not specified."'
    answer = await client.get("/message/empty")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("family", ["developer", "message", "detail", "error", "ours"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "full/no/such", 404), ("DELETE", "full", 405), ("POST", "body", 400), ("GET", "broken", 500)],
)
async def test_no_body_in_the_frameworks_shape_leaves(client, family, method, path, status):
    answer = await client.request(method, f"/{family}/{path}", json={} if method == "POST" else None)
    body = answer.json()
    assert answer.status_code == status
    assert not isinstance(body.get("detail"), list)
    assert body.get("detail") not in {"Not Found", "Method Not Allowed", "Internal Server Error"}
    assert "error_code" in body or "field_errors" in body


def test_the_docstrings_first_paragraph_is_the_message():
    assert CourseFull().message == TEXT
    assert str(CourseFull("other")) == "other"
    assert issubclass(CourseFull, Refusal)


def test_field_errors_stand_without_an_error_code():
    answer = Answer(400, "invalid", "", {"field_errors": {"role": {"developer_message": "This field is required."}}})
    assert developer_message_style(answer) == {
        "field_errors": {"role": {"developer_message": "This field is required."}}
    }
    assert problem_style(Answer(404, "not_found", "Not found.", {}, request_id="r"))["request_id"] == "r"
