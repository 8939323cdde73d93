"""Refusals about imports."""

from common.errors import Conflict, Invalid


class MissingParameter(Invalid):
    """Missing required parameter"""

    code = "missing_parameter"


class UpstreamMissingFile(Invalid):
    """Missing required parameter"""

    code = "internal_error"


class UpstreamWrongFormat(Invalid):
    """Parameter in the wrong format"""

    code = "internal_error"


class ImportInProgress(Conflict):
    """Another import of this course is under way."""

    code = "import_in_progress"


class SnapshotSuperseded(Exception):
    """What an earlier import had read has made room meanwhile: this one has to be read for itself."""
