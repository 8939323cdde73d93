"""Conditional requests."""


def names_tag(given: str, etag: str) -> bool:
    """Does this `If-None-Match` name the entity tag? Tags are compared weakly, as RFC 9110 has it; `*` names any."""
    return given.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(","))
