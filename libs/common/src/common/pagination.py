"""Page numbers as upstream's clients send them, and the envelope they expect back."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlencode

from common.errors import NotFound

_LARGEST_OFFSET = 2**63 - 1  # of PostgreSQL's bigint


class InvalidPage(NotFound):
    """Invalid page."""

    code = "invalid_page"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page, counted from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def parse_page(number: str | None, size: str | None, *, default: int, maximum: int) -> PageRequest:
    """Upstream's rules: a bad `page_size` means the default, a large one the maximum, a bad `page` is 404."""
    wanted = _positive(size)
    length = default if wanted is None else min(wanted, maximum)
    if number in (None, ""):
        return PageRequest(1, length)
    page = _positive(number)
    if page is None or page * length > _LARGEST_OFFSET:
        raise InvalidPage
    return PageRequest(page, length)


def _positive(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text) or None


def page_count(count: int, size: int) -> int:
    return max(1, -(-count // size))


def page_links(
    url: str, query: str, page: int, pages: int, *, cursor: str | None = None, more: bool | None = None
) -> tuple[str | None, str | None]:
    """(next, previous): absolute, other parameters kept, no `page` on the link to the first.

    *cursor* goes on the link to the next page; *more* says whether there is one when the number alone does not.
    """
    known = ("page", "cursor") if more is not None else ("page",)
    others = _others(query, known)

    def link(number: int, *, after: str | None = None) -> str:
        place = [] if number == 1 else [f"page={number}"]
        place += [f"cursor={quote_plus(after)}"] if after is not None else []
        query = "&".join([*others, *place])
        return f"{url}?{query}" if query else url

    has_next = page < pages if more is None else more
    back = min(page - 1, pages)
    return (link(page + 1, after=cursor) if has_next else None), (link(back) if back > 0 else None)


# What parsing and encoding again leaves as it is: no need for either.
_PLAIN = re.compile(r"(?:[\w.~-]+=[\w.~-]*&)*[\w.~-]+=[\w.~-]*", re.ASCII)


def _others(query: str, known: tuple[str, ...]) -> list[str]:
    """The parameters beside those *known*, encoded."""
    if _PLAIN.fullmatch(query):
        return [part for part in query.split("&") if part.partition("=")[0] not in known]
    pairs = parse_qsl(query, keep_blank_values=True)
    return [urlencode([(name, value)]) for name, value in pairs if name not in known]
