"""Receiving files: forms in pieces of any size, and what is no form."""

import io
import sys

import pytest
from starlette.requests import Request

from common.uploads import BrokenForm, Form, FormFile, SeveralFiles, Spool, UnexpectedPart, open_form, steps

HEAD = b'--BB\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
NOTE = b'--BB\r\nContent-Disposition: form-data; name="note"\r\n\r\n  hello \r\n'
END = b"\r\n--BB--\r\n"


class TooLargeHere(Exception):
    """Refused."""


def a_request(*chunks: bytes, content_type: str = "multipart/form-data; boundary=BB") -> Request:
    waiting = list(chunks)

    async def receive() -> dict[str, object]:
        body = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, receive)


def a_spool(*, limit: int = 1000) -> tuple[io.BytesIO, Spool]:
    out = io.BytesIO()
    return out, Spool(out, limit=limit, refuse=TooLargeHere)


def read(form: Form, body: bytes) -> FormFile | None:
    form.feed(body)
    return form.finish()


@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_a_form_is_read_in_pieces_of_any_size(piece: int) -> None:
    out, spool = a_spool()
    names: list[str] = []
    form = await open_form(a_request(), spool.write, fields=("note", "other"), named=names.append)
    body = NOTE + HEAD + b"bytes" + END
    for start in range(0, len(body), piece):
        form.feed(body[start : start + piece])
    assert form.finish() == FormFile("a.txt", "text/plain")
    assert (names, out.getvalue(), spool.size, form.fields()) == (["a.txt"], b"bytes", 5, {"note": "hello"})
    assert "smart_open" not in sys.modules


async def test_a_form_without_a_file_has_none() -> None:
    form = await open_form(a_request(), a_spool()[1].write)
    form.feed(NOTE + END[2:])
    assert form.finish() is None


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (HEAD + b"cut", BrokenForm),
        (b"no form at all", BrokenForm),
        (HEAD.replace(b"a.txt", b"\xff\xfe") + b"x" + END, BrokenForm),
        (NOTE.replace(b"hello", b"x" * 9000) + HEAD + b"x" + END, BrokenForm),
        (HEAD + b"one\r\n" + HEAD + b"two" + END, SeveralFiles),
        (HEAD + b"one\r\n" + HEAD.replace(b'"file"', b'"archive"') + b"two" + END, SeveralFiles),
        (HEAD + b"x" * 2000 + END, TooLargeHere),
    ],
    ids=["cut", "none", "name", "field", "twice", "two names", "large"],
)
async def test_what_cannot_be_read_is_refused(body: bytes, refusal: type[Exception]) -> None:
    form = await open_form(a_request(), a_spool()[1].write, files=("file", "archive"), fields=("note",))
    with pytest.raises(refusal):
        read(form, body)


async def test_a_form_that_is_to_hold_its_file_alone_names_what_else_it_holds() -> None:
    form = await open_form(a_request(), a_spool()[1].write, only_file=True)
    with pytest.raises(UnexpectedPart) as caught:
        form.feed(NOTE + HEAD + b"x" + END)
    assert caught.value.name == "note"


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", ""])
async def test_a_form_without_a_boundary_is_none(content_type: str) -> None:
    with pytest.raises(BrokenForm):
        await open_form(a_request(content_type=content_type), a_spool()[1].write)


async def test_the_body_comes_in_steps_worth_a_change_of_thread() -> None:
    chunk = b"x" * 100_000
    lengths = [len(data) async for data in steps(a_request(*[chunk] * 7))]
    assert (lengths, sum(lengths)) == ([300_000, 300_000, 100_000], 700_000)


def test_a_spool_measures_and_refuses_the_first_byte_too_many() -> None:
    out, spool = a_spool(limit=3)
    spool.write(b"abc")
    assert spool.digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(TooLargeHere):
        spool.write(b"d")
    assert out.getvalue() == b"abc"
