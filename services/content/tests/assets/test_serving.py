"""Ranges, validators and headers of served files."""

from datetime import UTC, datetime

import pytest

from content.assets.serving import Asset, Span, Unsatisfiable, headers_of, is_unchanged, range_applies, read_range

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        (None, 10, Span(0, 10, partial=False)),
        ("bytes=0-4", 10, Span(0, 5, partial=True)),
        ("bytes=5-", 10, Span(5, 10, partial=True)),
        ("bytes=5-99", 10, Span(5, 10, partial=True)),
        ("bytes=5-99999999999999999999", 10, Span(5, 10, partial=True)),
        (f"bytes=5-{'9' * 200}", 10, Span(0, 10, partial=False)),
        ("bytes=99999999999999999999-", 10, None),
        ("bytes=-3", 10, Span(7, 10, partial=True)),
        ("bytes=-99", 10, Span(0, 10, partial=True)),
        ("bytes=9-9", 10, Span(9, 10, partial=True)),
        ("bytes=0-1,3-4", 10, Span(0, 10, partial=False)),
        ("lines=0-1", 10, Span(0, 10, partial=False)),
        ("bytes=x-y", 10, Span(0, 10, partial=False)),
        ("bytes=-", 10, Span(0, 10, partial=False)),
        ("bytes=10-", 10, None),
        ("bytes=5-3", 10, None),
        ("bytes=-0", 10, None),
        ("bytes=0-", 0, None),
    ],
)
def test_one_range_is_honoured_and_anything_else_means_all(header, size, span):
    if span is None:
        with pytest.raises(Unsatisfiable):
            read_range(header, size)
    else:
        assert read_range(header, size) == span


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"a"'}, True),
        ({"if-none-match": 'W/"a"'}, True),
        ({"if-none-match": '"b", "a"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"b"', "if-modified-since": "then"}, False),
        ({"if-modified-since": "then"}, True),
        ({"if-modified-since": "later"}, False),
    ],
)
def test_what_the_client_has_is_not_sent_again(headers, unchanged):
    assert is_unchanged(headers, '"a"', "then") is unchanged


def test_a_range_of_other_bytes_is_of_no_use():
    assert range_applies({}, '"a"', "then")
    assert range_applies({"if-range": '"a"'}, '"a"', "then")
    assert not range_applies({"if-range": '"b"'}, '"a"', "then")


@pytest.mark.parametrize(
    ("kind", "disposition", "sandboxed"),
    [
        ("image/png", False, False),
        ("image/svg+xml", False, True),
        ("text/html", False, True),
        ("text/html; charset=utf-8", False, True),
        ("application/xhtml+xml", False, True),
        ("application/atom+xml", False, True),
        ("text/xsl", False, True),
        ("multipart/x-mixed-replace", True, False),
        ("text/pläin", True, False),
        ("application/pdf", False, False),
        ("application/zip", True, False),
        ("application/octet-stream", True, False),
        ("evil\r\nSet-Cookie: x=1", True, False),
    ],
)
def test_a_file_that_could_act_is_kept_from_it(kind, disposition, sandboxed):
    headers = headers_of(Asset("ä.x", "d", 1, kind, "A", False, NOW), max_age=60, now=NOW)
    assert ("Content-Disposition" in headers) == disposition
    assert ("sandbox" in headers.get("Content-Security-Policy", "")) == sandboxed
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "\r" not in "".join(headers.values())
    assert all(value.isascii() for value in headers.values())


def test_caching_follows_the_lock():
    open_, locked = (Asset("a", "d", 1, "image/png", "A", lock, NOW) for lock in (False, True))
    headers = headers_of(open_, max_age=60, now=NOW)
    assert headers["Cache-Control"] == "public, max-age=60, s-maxage=60"
    assert headers["Expires"] == "Fri, 02 Jan 2026 03:05:05 GMT"
    assert headers["Last-Modified"] == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert headers_of(locked, max_age=60, now=NOW)["Cache-Control"] == "private, no-cache, no-store"
    assert "Cache-Control" not in headers_of(open_, max_age=0, now=NOW)
    assert "immutable" in headers_of(open_, max_age=60, now=NOW, immutable=True)["Cache-Control"]
    assert headers_of(locked, max_age=60, now=NOW, immutable=True)["Cache-Control"] == "private, no-cache, no-store"
    assert headers_of(open_, max_age=60, now=NOW)["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers_of(locked, max_age=60, now=NOW)["Cross-Origin-Resource-Policy"] == "same-origin"
