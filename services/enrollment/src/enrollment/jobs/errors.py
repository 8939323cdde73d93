"""What jobs refuse."""

from common.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedMediaType


class JobNotFound(NotFound):
    """No job has this id."""

    code = "job_not_found"


class ProgramNotFound(NotFound):
    """No program has this uuid."""

    code = "program_does_not_exist"


class CourseNotFound(NotFound):
    """No course has this id."""

    code = "course_does_not_exist"


class CourseNotInProgram(NotFound):
    """The program does not contain this course."""

    code = "course_not_in_program"


class ResultNotReady(NotFound):
    """The job has no result, or none yet."""

    code = "no_result"


class JobInProgress(Conflict):
    """Another job is writing here; wait for its end, or cancel it."""

    code = "job_in_progress"


class NotUndoable(Conflict):
    """Only a finished job that wrote something can be undone, once, as long as it is kept."""

    code = "not_undoable"


class JobOver(Conflict):
    """The job has ended already."""

    code = "job_over"


class BadFile(Invalid):
    """The file cannot be read."""

    code = "bad_file"

    def __init__(self, message: str, *, line: int | None = None) -> None:
        if line is None:
            super().__init__(message)
        else:
            super().__init__(f"Line {line}: {message}", line=line)


class FileMissing(Invalid):
    """The form has no field `file`."""

    code = "file_missing"


class FileTooLarge(TooLarge):
    """The file is larger than this service takes."""

    code = "file_too_large"


class UnknownFileType(UnsupportedMediaType):
    """Send text/csv, application/json, application/x-ndjson, or a form with a field `file`."""

    code = "unsupported_file_type"


class BadOption(Invalid):
    """An option of the job is not valid."""

    code = "bad_option"
