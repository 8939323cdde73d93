"""Which addresses a repository may have. No I/O."""

import ipaddress
from urllib.parse import urlsplit

from import_export.hooks.errors import BadRepository, InternalRepository


def check_repository(address: str, *, allow_internal: bool) -> None:
    """Refuse what is no address over http or https, and what leads into an internal network by its very words.

    Where a name leads is seen when it is looked up, by the process that fetches. Raises `BadRepository`,
    `InternalRepository`.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadRepository("This is no address of a repository.") from error
    if parts.scheme == "file" and allow_internal:
        return
    if parts.scheme not in ("http", "https") or not host:
        raise BadRepository
    if not allow_internal and _names_internal(host):
        raise InternalRepository


def is_internal(address: str) -> bool:
    """Is this IP address no public one?"""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return not found.is_global or found.is_multicast


def _names_internal(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return is_internal(host)
    except ValueError:  # a name
        return False
