"""Refusals about exports."""

from common.errors import Forbidden, Invalid, NotAcceptable, NotFound, Unprocessable


class InvalidBranch(Invalid):
    """A branch is either published or draft."""

    code = "invalid_branch"


class InvalidVersion(Invalid):
    """A version is named by 24 or 32 hexadecimal digits."""

    code = "invalid_version"


class BranchAndVersion(Invalid):
    """Name a branch or a version, not both."""

    code = "branch_and_version"


class ArchiveNotAcceptable(NotAcceptable):
    """An export is served as application/x-tgz, and as a page for people."""


class NothingToExport(NotFound):
    """There is no such course, branch or version."""

    code = "nothing_to_export"


class ExportForbidden(Forbidden):
    """The requesting user may not export this course."""

    code = "user_permissions"


class ExportFailed(Unprocessable):
    """The course could not be exported."""

    code = "export_failed"
