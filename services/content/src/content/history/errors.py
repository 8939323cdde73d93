"""Refusals about history."""

from common.errors import Invalid, NotFound


class BadCursor(Invalid):
    """The cursor is not one this list has given."""

    code = "bad_cursor"


class BadPageSize(Invalid):
    """A page holds 1 to 500 lines."""

    code = "bad_page_size"


class BlockUnknown(NotFound):
    """This branch never had such a block."""

    code = "block_not_found"


class NotOneBranch(Invalid):
    """Name a course, or a branch of it: this is not about one version."""

    code = "bad_locator"


class BadRevert(Invalid):
    """The body names the version to go back to: {"version": "<24 hexadecimal digits>"}."""

    code = "invalid"
