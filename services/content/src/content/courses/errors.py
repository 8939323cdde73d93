"""Refusals about courses."""

from common.errors import Conflict, Forbidden, Invalid, NotFound


class CourseNotFound(NotFound):
    """Course not found."""

    code = "course_not_found"


class CourseExists(Conflict):
    """There is already a course defined with the same organization, course number, and course run. \
Please change either organization or course number to be unique."""

    code = "course_exists"


class NameTaken(Conflict):
    """Another course reads the same when its organization, number and run are written with dots between them."""

    code = "course_name_taken"


class BadCourseName(Invalid):
    """Unable to create course: its organization, number or run holds a character that a key may not hold."""

    code = "bad_course_key"


class MayNotCreate(Forbidden):
    """User does not have the permission to create courses in this organization."""

    code = "creator_permission_required"
