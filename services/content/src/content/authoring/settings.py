"""What may be written into a block's fields: their scopes, and the types of the well-known ones. No I/O."""

from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from content.dates import parse_date, print_date

# Content scope: part of the definition. Every other field is a setting, unless the block's definition has it already.
CONTENT: Final = frozenset({"data", "items"})
MAX_NAME: Final = 255
MAX_DISPLAY_NAME: Final = 10_000
_BIGGEST: Final = 2**63 - 1

# fmt: off
DATES: Final = frozenset({
    "start", "due", "end", "enrollment_start", "enrollment_end", "certificate_available_date", "submission_start",
    "submission_due",
})
BOOLEANS: Final = frozenset({
    "graded", "visible_to_staff_only", "hide_from_toc", "hide_after_due", "self_paced", "in_entrance_exam",
    "is_entrance_exam", "is_time_limited", "is_proctored_enabled", "is_practice_exam", "is_onboarding_exam",
    "discussion_enabled", "show_reset_button", "use_latex_compiler", "edxnotes", "edxnotes_visibility",
    "video_speed_optimizations", "video_auto_advance", "mobile_available", "invitation_only", "is_prereq",
    "highlights_enabled_for_messaging", "enable_subsection_gating", "enable_proctored_exams", "enable_timed_exams",
    "course_staff_only", "download_video", "download_track", "show_captions",
})
INTEGERS: Final = frozenset({
    "relative_weeks_due", "max_attempts", "default_time_limit_minutes", "submission_wait_seconds",
    "max_student_enrollments_allowed", "prereq_min_score", "prereq_min_completion",
})
NUMBERS: Final = frozenset({"weight", "days_early_for_beta", "minimum_grade_credit"})
TEXTS: Final = frozenset({
    "display_name", "format", "showanswer", "show_correctness", "rerandomize", "markdown", "editor",
    "exam_review_rules", "youtube_id_1_0", "edx_video_id", "sub", "language", "course_image", "prereq",
})
LISTS: Final = frozenset({"user_partitions", "tabs", "highlights", "html5_sources", "pre_requisite_courses"})
OBJECTS: Final = frozenset({"group_access", "transcripts"})
# fmt: on


def parse_setting(name: str, value: JsonValue) -> JsonValue:
    """The value as it is stored. Raises `ValueError`, whose text says what is wrong."""
    check_name(name)
    for names, parse in _PARSERS:
        if name in names:
            return parse(name, value)
    return value


def check_name(name: str) -> None:
    """Raises `ValueError` for a field name nobody could mean."""
    if not name or len(name) > MAX_NAME:
        raise ValueError(f"a field name has 1 to {MAX_NAME} characters")


def is_before_1900(value: object) -> bool:
    moment = parse_date(value)
    return moment is not None and moment.year < 1900


def _date(name: str, value: JsonValue) -> JsonValue:
    if value is None or value == "":
        return None
    moment = parse_date(value)
    if moment is None:
        raise ValueError(f"{name} is not a date")
    return print_date(moment)


def _boolean(name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is not true or false")
    return value


def _integer(name: str, value: JsonValue) -> JsonValue:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = int(value)
        if float(value) != number or abs(number) > _BIGGEST:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is not a whole number") from error
    return number


def _number(name: str, value: JsonValue) -> JsonValue:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = value if isinstance(value, int | float) else float(value)
        if not abs(number) <= _BIGGEST:
            raise ValueError
    except ValueError as error:
        raise ValueError(f"{name} is not a number") from error
    return number


def _text(name: str, value: JsonValue) -> JsonValue:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is not a text")
    if name == "display_name" and value is not None and len(value) > MAX_DISPLAY_NAME:
        raise ValueError(f"{name} is longer than {MAX_DISPLAY_NAME} characters")
    return value


def _list(name: str, value: JsonValue) -> JsonValue:
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name} is not a list")
    return value


def _object(name: str, value: JsonValue) -> JsonValue:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value


_PARSERS: Final[tuple[tuple[frozenset[str], Callable[[str, JsonValue], JsonValue]], ...]] = (
    (DATES, _date),
    (BOOLEANS, _boolean),
    (INTEGERS, _integer),
    (NUMBERS, _number),
    (TEXTS, _text),
    (LISTS, _list),
    (OBJECTS, _object),
)
