"""What the course modes API refuses, in the words clients match on."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from common.errors import Invalid, MethodNotAllowed, NotFound


class ModeNotFound(NotFound):
    """Not found."""


class NotOfAllModes(MethodNotAllowed):
    """One mode can be changed or taken away, not all of a course at once."""

    def __init__(self, method: str) -> None:
        super().__init__(f'Method "{method}" not allowed.', headers={"Allow": "GET, HEAD, OPTIONS, POST"})


class NotOfOneMode(MethodNotAllowed):
    """A mode is made at the address of its course."""

    def __init__(self, method: str) -> None:
        super().__init__(f'Method "{method}" not allowed.', headers={"Allow": "DELETE, GET, HEAD, OPTIONS, PATCH"})


class BadModeFields(Invalid):
    """A mode's fields are not valid: the body names each with its texts."""

    code: ClassVar[str] = "invalid_fields"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("", body={name: list(texts) for name, texts in fields.items()})


REQUIRED = "This field is required."
NOT_NULL = "This field may not be null."
BLANK = "This field may not be blank."
FIXED = "This field cannot be modified."
NOT_TEXT = "Not a valid string."
NOT_WHOLE = "A valid integer is required."
NOT_BOOLEAN = "Must be a valid boolean."
TOO_LONG = "Ensure this field has no more than {} characters."
TOO_SMALL = "Ensure this value is greater than or equal to 0."
TOO_LARGE = "Ensure this value is less than or equal to 2147483647."
NOT_A_TIME = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
NO_SUCH_COURSE = "There is no such course."
UNREADABLE_KEY = "'{}' is not a valid course key."
TAKEN = "The fields course_id, mode_slug, currency must make a unique set."
NO_EXPIRY = "Professional education modes are not allowed to have expiration_datetime set."
CONTROL = "Null characters are not allowed."
