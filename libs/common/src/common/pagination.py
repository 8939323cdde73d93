"""Page numbers as upstream's clients send them, and the envelope they expect back."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from common.errors import NotFound


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
    if page is None:
        raise InvalidPage
    return PageRequest(page, length)


def _positive(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text) or None


def page_count(count: int, size: int) -> int:
    return max(1, -(-count // size))


def page_links(url: str, query: str, page: int, pages: int) -> tuple[str | None, str | None]:
    """(next, previous): absolute, other parameters kept, no `page` on the link to the first."""
    others = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "page"]

    def link(number: int) -> str:
        query = urlencode(others if number == 1 else [*others, ("page", str(number))])
        return f"{url}?{query}" if query else url

    return (link(page + 1) if page < pages else None), (link(page - 1) if page > 1 else None)
