"""What can go wrong, in four kinds a robot treats differently."""

from collections.abc import Mapping

from lectern_client.models import Task


class LecternError(Exception):
    """Any error of this client."""


class Unreachable(LecternError):
    """The server could not be reached, or did not answer like a Lectern."""


class Refused(LecternError):
    """The server refused the request."""

    def __init__(self, status: int, code: str | None, message: str, body: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{message} ({code or status})")
        self.status, self.code, self.message, self.body = status, code, message, dict(body or {})


class NotAuthenticated(Refused):
    """The client id or secret is wrong, or no longer good."""


class TaskFailed(LecternError):
    """An import or export came to a bad end."""

    def __init__(self, task: Task) -> None:
        reason = task.error.message if task.error else f"The task is {task.state}."
        super().__init__(reason)
        self.task = task


class TaskNotFinished(LecternError):
    """The task still runs, and the patience is over."""

    def __init__(self, task_id: str, seconds: float) -> None:
        super().__init__(f"Task {task_id} has not finished within {seconds:g} s; it goes on without us.")
        self.task_id = task_id
