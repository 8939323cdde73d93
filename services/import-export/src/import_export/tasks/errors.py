"""Refusals about tasks."""

from common.errors import Conflict, Invalid, NotFound


class TaskNotFound(NotFound):
    """There is no such task."""

    code = "task_not_found"


class TooLateToCancel(Conflict):
    """This task can no longer be canceled."""

    code = "too_late_to_cancel"


class NoReportYet(NotFound):
    """The archive of this task has not been read yet, so there is no report."""

    code = "no_report_yet"


class BadFilters(Invalid):
    """The filters of this list are not valid."""

    code = "bad_filters"


class TaskRuns(Conflict):
    """This task has not ended; cancel it first."""

    code = "task_runs"
