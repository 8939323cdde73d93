"""A task as the numbers and sentences of Studio's status handlers."""

from common.keys import CourseKey
from import_export.tasks.models import Job, State

NOTHING_KNOWN = 0
REFUSED_UPLOAD = -1
IMPORTED = 4
EXPORTED = 3
_IMPORT_STEPS = 3
_EXPORT_STEPS = 2
UNKNOWN = "Unknown error while importing course."
_UNSAFE = "Unsafe archive file. Aborting import."
# What reading refuses before it has looked for the course is of the first step.
_UNSAFE_CODES = frozenset(
    {
        "archive_too_large",
        "duplicate_member",
        "encrypted_member",
        "header_too_large",
        "link_dangling",
        "link_directory",
        "link_loop",
        "link_outside",
        "member_too_large",
        "name_illegal",
        "name_not_utf8",
        "name_too_long",
        "path_absolute",
        "path_climbs",
        "path_conflict",
        "ratio_too_high",
        "special_member",
        "too_many_members",
        "zip_mismatch",
        "zip_overlap",
    }
)
_ROOT_CODES = frozenset({"root_broken", "root_doctype", "root_no_run", "too_many_blocks", "two_roots"})
_WRITE_ACCESS = "Permission denied. You do not have write access to this course."


def import_status(job: Job) -> tuple[int, str]:
    """`ImportStatus` and `Message`."""
    if job.state == State.SUCCEEDED:
        return IMPORTED, ""
    if job.state in (State.FAILED, State.CANCELED):
        completed, message = _failure(job)
        return max(-(completed + 1), -_IMPORT_STEPS), message
    return min(_import_steps_done(job) + 1, _IMPORT_STEPS), ""


def completed_steps(job: Job) -> int:
    """Of three for an import, of two for an export; all of them after success."""
    if job.kind == "export":
        return _EXPORT_STEPS if job.state == State.SUCCEEDED else _export_steps_done(job)
    if job.state == State.SUCCEEDED:
        return _IMPORT_STEPS
    return _failure(job)[0] if job.state == State.FAILED else _import_steps_done(job)


def total_steps(job: Job) -> int:
    return _EXPORT_STEPS if job.kind == "export" else _IMPORT_STEPS


def error_text(job: Job) -> str:
    """The sentence upstream keeps with a failed task."""
    if job.kind == "export":
        return str((job.error or {}).get("message", ""))
    return _failure(job)[1]


def _import_steps_done(job: Job) -> int:
    return 2 if job.percent >= 75 else 1 if job.percent >= 50 else 0


def _export_steps_done(job: Job) -> int:
    return 1 if job.percent >= 50 else 0


def _failure(job: Job) -> tuple[int, str]:
    """Steps done, and upstream's sentence; what upstream has no sentence for keeps ours."""
    if job.error is None:
        return _import_steps_done(job), ""
    code, message = str(job.error.get("code")), str(job.error.get("message"))
    if code in _UNSAFE_CODES:
        return 0, _UNSAFE
    if code == "no_course_xml":
        root = "library.xml" if CourseKey.parse(job.course_id).is_library else "course.xml"
        return 1, f"Could not find the {root} file in the package."
    if code == "strict":
        return 1, message
    if code == "permission_denied":
        return 0, _WRITE_ACCESS
    if code in _ROOT_CODES:
        return 2, UNKNOWN
    done = _import_steps_done(job)
    return done, message if code == "upload_gone" else UNKNOWN


def export_status(job: Job, output_url: str) -> dict[str, object]:
    """`ExportStatus`, with `ExportOutput` or `ExportError`."""
    if job.state == State.SUCCEEDED:
        return {"ExportStatus": EXPORTED, "ExportOutput": output_url}
    step = _export_steps_done(job) + 1
    if job.state in (State.FAILED, State.CANCELED):
        message = str((job.error or {}).get("message", "The export was canceled."))
        return {"ExportStatus": -step, "ExportError": {"raw_error_msg": message, "edit_unit_url": None}}
    return {"ExportStatus": step}
