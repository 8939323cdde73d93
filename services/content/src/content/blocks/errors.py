"""Refusals of the blocks API, in upstream's words."""

from common.errors import Forbidden, NotFound


class AllBlocksAnonymously(Forbidden):
    """Anonymous users do not have permission to access all blocks."""

    def __init__(self, course: str) -> None:
        super().__init__(f"Anonymous users do not have permission to access all blocks in '{course}'.")


class OthersAnonymously(Forbidden):
    """Anonymous users cannot access another user's blocks."""


class NotPublic(Forbidden):
    """Course blocks cannot be accessed anonymously."""

    def __init__(self, course: str) -> None:
        super().__init__(f"Course blocks for '{course}' cannot be accessed anonymously.")


class AllBlocksRefused(Forbidden):
    """The caller does not have permission to access all blocks."""

    def __init__(self, caller: str | None, course: str) -> None:
        super().__init__(f"'{caller}' does not have permission to access all blocks in '{course}'.")


class BlocksRefused(Forbidden):
    """Course blocks cannot be accessed."""

    code = "not_enrolled"

    def __init__(self, caller: str | None) -> None:
        super().__init__(f"Course blocks for '{caller}' cannot be accessed.")


class ViewRefused(Forbidden):
    """The caller does not have permission to access that user's view."""

    def __init__(self, caller: str | None, username: str) -> None:
        super().__init__(f"'{caller}' does not have permission to access view for '{username}'.")


class UnknownUser(NotFound):
    """The requested user does not exist."""

    code = "user_not_found"

    def __init__(self, username: str) -> None:
        super().__init__(f"Requested user '{username}' does not exist.")


class BlockNotFound(NotFound):
    """Block not found."""

    code = "block_not_found"

    def __init__(self, key: object) -> None:
        super().__init__(f"Block not found: {key}")


class ItemNotFound(NotFound):
    """Can't find item by location."""

    code = "item_not_found"

    def __init__(self, key: object) -> None:
        shown = str(key)
        super().__init__(f"Can't find item by location: {shown if len(shown) <= 1000 else shown[:1000] + '…'}")


class NotEnrolled(Forbidden):
    """Only the learners and the team of this course can read it."""

    code = "not_enrolled"
