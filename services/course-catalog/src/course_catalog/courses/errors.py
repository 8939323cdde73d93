"""What the course API refuses, in the words clients match on."""

from typing import ClassVar

from common.errors import Invalid, NotFound


class CourseNotFound(NotFound):
    """Course not found."""

    code: ClassVar[str] = "course_not_found"


class BadParameters(Invalid):
    """One or more parameters are not valid."""

    code: ClassVar[str] = "invalid_parameters"

    def __init__(self, **fields: str) -> None:
        super().__init__("", field_errors={name: {"developer_message": text} for name, text in fields.items()})


def bad_course_key(text: str) -> str:
    return f"'{text}' is not a valid course key."


REQUIRED = "This field is required."
EMPTY_MEMBER = "This field cannot be empty."
NUL = "Null characters are not allowed."
BAD_BOOLEAN = "Invalid Boolean Value."
BAD_CURSOR = "This is not a cursor of a page."


class BadCourseKey(Invalid):
    """This is not a valid course key."""

    code: ClassVar[str] = "invalid_course_key"

    @classmethod
    def of(cls, given: str) -> "BadCourseKey":
        return cls(bad_course_key(given))
