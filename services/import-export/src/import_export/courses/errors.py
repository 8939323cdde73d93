"""Refusals about courses."""

from common.errors import Forbidden, NotFound


class CourseNotFound(NotFound):
    """There is no such course."""

    code = "course_does_not_exist"


class InvalidCourseKey(NotFound):
    """The provided course key cannot be parsed."""

    code = "invalid_course_key"


class NotAnAuthor(Forbidden):
    """The requesting user does not have course author permissions."""

    code = "user_permissions"
