"""Secrets that machines keep: random, recognisable by their prefix and checksum, stored as a keyed hash only."""

import hashlib
import hmac
import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_letters
API_TOKEN, REFRESH_TOKEN = "ltk", "lrt"


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Opaque:
    """`<kind>_<id>_<secret>_<checksum>`: the id finds the row, the whole text is what is hashed."""

    kind: str
    id: str
    text: str

    def digest(self, pepper: bytes) -> bytes:
        return keyed_hash(self.text, pepper)


def new_opaque(kind: str) -> Opaque:
    number = _random(8)
    body = f"{kind}_{number}_{_random(32)}"
    return Opaque(kind, number, f"{body}_{_checksum(body)}")


def read_opaque(text: str, kind: str) -> Opaque | None:
    """None for anything mistyped: the checksum refuses it before any look-up."""
    body, _, checksum = text.rpartition("_")
    parts = body.split("_")
    if len(parts) != 3 or parts[0] != kind or not text.isascii() or len(text) > 100:
        return None
    if not hmac.compare_digest(checksum, _checksum(body)):
        return None
    return Opaque(kind, parts[1], text)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def keyed_hash(text: str, pepper: bytes) -> bytes:
    """High-entropy secrets need no slow hash; the pepper keeps a stolen table useless."""
    return hmac.new(pepper, text.encode(), hashlib.sha256).digest()


def new_client_id() -> str:
    return f"lectern-{_random(16)}"


def new_client_secret() -> str:
    return _random(48)
