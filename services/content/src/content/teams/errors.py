"""Refusals about teams."""

from common.errors import Conflict, Forbidden, NotFound


class UserNotFound(NotFound):
    """No account has this username."""

    code = "user_not_found"


class NotAMember(NotFound):
    """This person is not on the team of the course."""

    code = "not_a_member"


class NotInstructor(Forbidden):
    """Only the instructors of a course and global staff manage its team."""

    code = "instructor_required"


class LastInstructor(Conflict):
    """A course keeps an instructor: make somebody else one first."""

    code = "last_instructor"
