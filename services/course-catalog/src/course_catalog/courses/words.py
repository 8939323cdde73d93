"""Words to search by: one way of cutting texts into them, for what is stored and for what is asked.

PostgreSQL compares and ranks; the cutting is ours, because its parsers see one word in a line of Chinese and drop what
they take for punctuation in other scripts. Scripts that write no spaces are stored as every ending of a run of their
letters, so that a prefix query finds any part of it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

# weight of a text: what stands in the name counts more than what stands in the overview
WEIGHTS = ("A", "B", "C", "D")
MOST_ASKED = 12
_LONGEST = 40
_MOST_WORDS = 3_000
_ENDING = 8
# accents of Latin, Greek and Cyrillic; vowel signs of Hebrew and Arabic, which most people leave out
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0670]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def fold(text: str) -> str:
    """The text as it is compared: no case, no accents, one form of each letter."""
    return unicodedata.normalize("NFKC", _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold())))


def split(text: str) -> Iterator[str]:
    """Its words: letters, digits and the signs that belong to them."""
    word: list[str] = []
    for character in fold(text):
        if unicodedata.category(character)[0] in "LNM":
            word.append(character)
        elif word:
            yield "".join(word)
            word.clear()
    if word:
        yield "".join(word)


def _pieces(word: str) -> Iterator[tuple[str, bool]]:
    """A word cut where its script changes between one with spaces and one without."""
    last = 0
    for found in _UNSPACED.finditer(word):
        if found.start() > last:
            yield word[last : found.start()], False
        yield found[0], True
        last = found.end()
    if last < len(word):
        yield word[last:], False


def _stored(text: str) -> Iterator[str]:
    for word in split(text):
        for piece, unspaced in _pieces(word):
            if unspaced:
                yield from (piece[start : start + _ENDING] for start in range(len(piece)))
            else:
                yield piece[:_LONGEST]


def vector(texts: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The text form of a tsvector. *texts* are pairs of a weight and the texts that have it."""
    places: dict[str, list[str]] = {}
    place = 0
    for weight, parts in texts:
        for word in (word for part in parts for word in _stored(part)):
            place += 1
            if place > _MOST_WORDS:
                break
            at = places.setdefault(word, [])
            if len(at) < 8:
                at.append(f"{place}{weight}")
    return " ".join(f"'{word}':{','.join(at)}" for word, at in sorted(places.items()))


def query(search: str) -> str | None:
    """The text form of a tsquery that finds texts with words that begin with all of the asked ones.

    None when nothing is asked that a text could hold.
    """
    asked: dict[str, None] = {}
    for word in split(search):
        for piece, unspaced in _pieces(word):
            parts = [piece[i : i + _ENDING] for i in range(0, len(piece), _ENDING)] if unspaced else [piece[:_LONGEST]]
            asked.update(dict.fromkeys(parts))
    return " & ".join(f"'{word}':*" for word in list(asked)[:MOST_ASKED]) or None
