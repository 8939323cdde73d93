"""What is announced of a course's settings: each of its type, or not at all."""

import pytest

from content.courses.announcing import course_settings


@pytest.mark.parametrize(
    ("name", "written", "announced"),
    [
        ("start", "2013-02-05T05:00:00Z", "2013-02-05T05:00:00Z"),
        ("start", "2013-02-05T05:00:00+02:00", "2013-02-05T03:00:00Z"),
        ("start", "2013-02-05", "2013-02-05T00:00:00Z"),
        ("start", "2012-10-15T12:00", "2012-10-15T12:00:00Z"),
        ("start", '"2013-02-05T05:00:00Z"', "2013-02-05T05:00:00Z"),
        ("start", "February 5, 2013", "2013-02-05T00:00:00Z"),
        ("start", "whenever", None),
        ("start", 5, None),
        ("start", None, None),
        ("self_paced", True, True),
        ("self_paced", "false", False),
        ("self_paced", [], None),
        ("max_student_enrollments_allowed", "20", 20),
        ("max_student_enrollments_allowed", 1e300, None),
        ("max_student_enrollments_allowed", True, None),
        ("display_name", 6, "6"),
        ("display_name", ["x"], None),
        ("pre_requisite_courses", ["course-v1:a+b+c", 1], ["course-v1:a+b+c"]),
    ],
)
def test_settings_are_announced_by_type(name, written, announced):
    assert getattr(course_settings({name: written, "unknown": 1}), name) == announced
