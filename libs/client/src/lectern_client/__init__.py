"""A client for Lectern: import and export courses, watch tasks, enroll."""

from lectern_client.client import Client
from lectern_client.errors import (
    LecternError,
    NotAuthenticated,
    Refused,
    TaskFailed,
    TaskNotFinished,
    Unreachable,
)
from lectern_client.models import Enrollment, Entry, Export, Report, Task

__all__ = [
    "Client",
    "Enrollment",
    "Entry",
    "Export",
    "LecternError",
    "NotAuthenticated",
    "Refused",
    "Report",
    "Task",
    "TaskFailed",
    "TaskNotFinished",
    "Unreachable",
]
