"""What the allowed list refuses, with upstream's texts."""

from common.errors import Conflict, Invalid, NotFound


class FieldsMissing(Invalid):
    """Please provide a value for 'email' and 'course_id' in the request data."""

    code = "fields_missing"


class BadEntry(Invalid):
    """An entry has an e-mail address of at most 254 characters, a course id and a boolean `auto_enroll`."""

    code = "invalid_entry"


class AlreadyAllowed(Conflict):
    """An enrollment allowed with email E and course C already exists."""

    code = "already_allowed"

    def __init__(self, email: str, course_id: str) -> None:
        super().__init__(f"An enrollment allowed with email {email} and course {course_id} already exists.")


class NotAllowed(NotFound):
    """An enrollment allowed with email E and course C doesn't exists."""

    code = "allowed_not_found"

    def __init__(self, email: str, course_id: str) -> None:
        super().__init__(f"An enrollment allowed with email {email} and course {course_id} doesn't exists.")
