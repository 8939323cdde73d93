"""What the program enrollment API refuses, in upstream's words."""

from common.errors import Forbidden, Invalid, NotFound, Refusal, TooLarge, Unprocessable, UnsupportedMediaType


class ProgramNotFound(NotFound):
    """no program exists with given key"""

    code = "program_does_not_exist"


class BadCourseKey(NotFound):
    """The provided course key cannot be parsed."""

    code = "invalid_course_key"


class CourseNotFound(NotFound):
    """Unknown course C"""

    code = "course_does_not_exist"

    def __init__(self, course_id: str) -> None:
        super().__init__(f"Unknown course {course_id}")


class CourseNotInProgram(NotFound):
    """the program's curriculum does not contain the given course"""

    code = "course_not_in_program"


class BadCursor(NotFound):
    """Invalid cursor"""

    code = "invalid_cursor"


class MalformedRecord(Unprocessable):
    """invalid enrollment record"""

    def __init__(self) -> None:
        super().__init__(body="invalid enrollment record")


class TooManyRecords(TooLarge):
    """enrollment limit 25"""

    def __init__(self) -> None:
        super().__init__(body="enrollment limit 25")


class UnreadableBody(Invalid):
    """JSON parse error"""

    code = "parse_error"

    def __init__(self, reason: str) -> None:
        super().__init__(f"JSON parse error - {reason}")


class UnreadableMediaType(UnsupportedMediaType):
    """Unsupported media type in request."""

    def __init__(self, media_type: str) -> None:
        super().__init__(f'Unsupported media type "{media_type}" in request.')


class NotInProgram(Forbidden):
    """Only learners who are enrolled in the program see this."""

    code = "not_enrolled_in_program"


class ResetDisabled(Refusal):
    """reset not enabled on this environment"""

    status = 501
    code = "reset_disabled"

    def __init__(self) -> None:
        super().__init__(body="reset not enabled on this environment")


class OrganizationMissing(Invalid):
    """missing required body content 'organization'"""

    def __init__(self) -> None:
        super().__init__(body="missing required body content 'organization'")


class OrganizationNotFound(NotFound):
    """organization X not found"""

    def __init__(self, name: str) -> None:
        super().__init__(body=f"organization {name} not found")
