"""Page numbers as upstream reads them."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.pagination import InvalidPage, PageRequest, page_count, page_links, parse_page


@pytest.mark.parametrize(
    ("number", "size", "expected"),
    [
        (None, None, PageRequest(1, 10)),
        ("", "", PageRequest(1, 10)),
        ("3", "20", PageRequest(3, 20)),
        ("1", "1000", PageRequest(1, 100)),
        ("1", "0", PageRequest(1, 10)),
        ("1", "-5", PageRequest(1, 10)),
        ("1", "abc", PageRequest(1, 10)),
        ("1", "9" * 30, PageRequest(1, 10)),
    ],
)
def test_sizes_fall_back_and_clamp(number, size, expected):
    assert parse_page(number, size, default=10, maximum=100) == expected


@pytest.mark.parametrize("number", ["0", "-1", "last", "1.5", "٣", "9" * 30, "\0"])
def test_a_page_that_is_no_page_is_not_found(number):
    with pytest.raises(InvalidPage):
        parse_page(number, None, default=10, maximum=100)


def test_links_keep_other_parameters_and_omit_page_one():
    following, previous = page_links("http://h/c/", "page=2&org=A%2BB&org=C", 2, 3)
    assert following == "http://h/c/?org=A%2BB&org=C&page=3"
    assert previous == "http://h/c/?org=A%2BB&org=C"
    assert page_links("http://h/c/", "", 1, 1) == (None, None)
    assert page_links("http://h/c/", "page=2", 2, 2) == (None, "http://h/c/")


@given(st.lists(st.sampled_from([*"ab=&+%. ~", "page=2", "&cursor=x", "=", "org=A", "é", "%41"])).map("".join))
def test_a_link_says_what_parsing_and_encoding_the_query_again_would_say(query):
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in ("page", "cursor")]
    following, _ = page_links("u", query, 1, 2, cursor="3:é +", more=True)
    assert following == f"u?{urlencode([*kept, ('page', '2'), ('cursor', '3:é +')])}"


@pytest.mark.parametrize(("count", "size", "pages"), [(0, 10, 1), (1, 10, 1), (10, 10, 1), (11, 10, 2)])
def test_an_empty_list_has_one_page(count, size, pages):
    assert page_count(count, size) == pages
