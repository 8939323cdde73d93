"""Refusals about versions."""

from common.errors import NotFound


class VersionNotFound(NotFound):
    """There is no such version."""

    code = "version_not_found"
