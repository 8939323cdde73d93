"""What the reports refuse."""

from common.errors import Forbidden, Invalid, NotFound, Refusal


class CourseMissing(NotFound):
    """No course has this id."""

    code = "course_not_found"


class NotOnTeam(Forbidden):
    """You do not have permission to perform this action."""


class BadCursor(Invalid):
    """The cursor is none of ours."""

    code = "bad_cursor"


class TooManyExports(Refusal):
    """Too many exports are being written at this moment; try again."""

    status = 503
    code = "too_many_exports"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})
