"""Refusals about deleting, restoring and rerunning."""

from common.errors import Conflict, Forbidden, Invalid, NotFound


class MayNotDelete(Forbidden):
    """User does not have the permission to delete courses in this organization."""

    code = "creator_permission_required"


class NotDeleted(NotFound):
    """No deleted course has this key."""

    code = "course_not_deleted"


class NameInUse(Conflict):
    """Another course has taken the name of this one since it was deleted."""

    code = "course_name_taken"


class WholeCourse(Invalid):
    """Name a course, or a branch of it."""

    code = "bad_locator"


class OnlyBranch(Invalid):
    """A library has one branch: delete the library itself."""

    code = "only_branch"


class SourceUnknown(NotFound):
    """The source course does not exist."""

    code = "source_course_not_found"
