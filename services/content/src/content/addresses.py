"""Addresses: as they come in a path, made ready to be read as keys, and as they go out. No I/O."""

import re
from urllib.parse import quote

# a proxy on the way may have folded the two slashes behind a scheme into one
_FOLDED = re.compile(r"(edx|defx|i4x):/(?=[^/])", re.IGNORECASE)


def clean(place: str) -> str:
    """The address without slashes at its ends, which say nothing."""
    place = place.strip("/")
    folded = _FOLDED.match(place)
    return f"{folded[1].lower()}://{place[folded.end() :]}" if folded else place


def in_header(address: str) -> str:
    """An address as a header can carry it: keys are written in any script, headers in ASCII."""
    return quote(address, safe="/:+@~")
