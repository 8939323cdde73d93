"""Opaque secrets: recognisable, mistyping-proof, never stored."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.secrets import API_TOKEN, REFRESH_TOKEN, new_opaque, read_opaque


def test_a_new_secret_is_read_back():
    made = new_opaque(API_TOKEN)
    assert read_opaque(made.text, API_TOKEN) == made
    assert read_opaque(made.text, REFRESH_TOKEN) is None
    assert made.digest(b"pepper") != made.digest(b"salt")


@given(st.integers(0, 50), st.characters(min_codepoint=33, max_codepoint=126))
def test_one_wrong_letter_is_noticed_before_any_look_up(place, letter):
    text = new_opaque(API_TOKEN).text
    place %= len(text)
    wrong = text[:place] + letter + text[place + 1 :]
    assert wrong == text or read_opaque(wrong, API_TOKEN) is None


@given(st.text(max_size=120))
def test_anything_else_is_not_read(text):
    assert read_opaque(text, API_TOKEN) is None
