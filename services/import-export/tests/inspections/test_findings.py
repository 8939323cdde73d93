"""Upstream's figures, counted by hand on a small course."""

import pytest

from import_export.inspections.findings import inspect, moment, spread

COURSE = "course-v1:O+C+R"


def block(name, children=(), fields=None, **settings):
    block_type, _, block_id = name.partition("@")
    return {
        "type": block_type,
        "id": block_id,
        "fields": fields or {},
        "settings": settings,
        "children": list(children),
    }


def snapshot(root=None, fields=None, **blocks):
    start = {"start": "2030-03-01T00:00:00Z", "end": "2030-06-01T00:00:00Z"}
    tree = {
        "course@course": block("course@course", ["chapter@a", "chapter@b"], fields, **(start | (root or {}))),
        "chapter@a": block("chapter@a", ["sequential@1", "sequential@2"], highlights=["x"]),
        "chapter@b": block("chapter@b", ["sequential@3"], visible_to_staff_only=True),
        "sequential@1": block(
            "sequential@1", ["vertical@1", "vertical@2"], display_name="One", graded=True, due="2030-02-01T00:00:00Z"
        ),
        "sequential@2": block("sequential@2", ["vertical@3"], due="2030-07-01T00:00:00+00:00"),
        "sequential@3": block("sequential@3", ["vertical@4"], due="2029-01-01T00:00:00Z"),
        "vertical@1": block("vertical@1", ["html@1", "problem@1", "video@1"]),
        "vertical@2": block("vertical@2", ["html@2"]),
        "vertical@3": block("vertical@3", ["html@3", "openassessment@1"]),
        "vertical@4": block("vertical@4", ["video@2"]),
        "html@1": block("html@1"),
        "html@2": block("html@2", visible_to_staff_only=True),
        "html@3": block("html@3"),
        "problem@1": block("problem@1"),
        "video@1": block("video@1", edx_video_id="abc"),
        "video@2": block("video@2"),
        "openassessment@1": block(
            "openassessment@1", fields={"rubric_assessments": [{"start": "2029-01-01T00:00:00Z", "due": None}, 7]}
        ),
    }
    return {"course_id": COURSE, "root": "course@course", "blocks": tree | blocks}


ONE = {"id": "block-v1:O+C+R+type@sequential+block@1", "display_name": "One"}
TWO = {"id": "block-v1:O+C+R+type@sequential+block@2", "display_name": None}
ORA = {"id": "block-v1:O+C+R+type@openassessment+block@1", "display_name": None}


def test_assignments_dates_and_grading():
    policy = {"grading_policy": {"GRADER": [{"weight": 0.6}, {"weight": 0.4}, {"weight": "x"}]}}
    found = inspect(snapshot(fields=policy))
    assert found["is_self_paced"] is False
    assert found["dates"] == {"has_start_date": True, "has_end_date": True}
    assert found["assignments"]["all"] == {
        "total_number": 3,
        "total_visible": 2,
        "assignments_with_dates_before_start": [ONE],
        "assignments_with_dates_after_end": [TWO],
        "assignments_with_ora_dates_before_start": [ORA],
        "assignments_with_ora_dates_after_end": [],
    }
    graded = found["assignments"]["graded_only"]
    assert (graded["total_number"], graded["assignments_with_ora_dates_before_start"]) == (1, [])
    assert found["grades"] == {"has_grading_policy": True, "sum_of_weights": 1.0}
    assert inspect(snapshot())["grades"] == {"has_grading_policy": False, "sum_of_weights": 0}


def test_certificates_updates_and_proctoring():
    bare = inspect(snapshot())
    assert bare["certificates"] == {"is_enabled": False, "is_activated": False, "has_certificate": False}
    assert bare["updates"] == {"has_update": False}
    assert set(bare["proctoring"].values()) == {False}
    root = {
        "self_paced": True,
        "cert_html_view_enabled": True,
        "certificates": {"certificates": [{"is_active": True}]},
        "enable_proctored_exams": True,
        "proctoring_provider": "proctortrack",
        "proctoring_escalation_email": "a@b.c",
    }
    updates = block("course_info@updates", fields={"items": [{"status": "visible"}]})
    full = inspect(snapshot(root, **{"course_info@updates": updates}))
    assert full["is_self_paced"] is True
    assert set(full["certificates"].values()) == set(full["proctoring"].values()) == {True}
    assert full["updates"] == {"has_update": True}
    deleted = block("course_info@updates", fields={"items": [{"status": "deleted"}]})
    assert inspect(snapshot(**{"course_info@updates": deleted}))["updates"] == {"has_update": False}


def test_the_make_up_of_a_course():
    found = inspect(snapshot({"highlights_enabled_for_messaging": True}))
    assert found["sections"] == {
        "total_number": 2,
        "total_visible": 1,
        "number_with_highlights": 1,
        "highlights_active_for_course": True,
        "highlights_enabled": True,
    }
    assert found["subsections"]["all"] == {
        "total_visible": 2,
        "num_with_one_block_type": 0,
        "num_block_types": {"min": 2, "max": 3, "mean": 2, "median": 2, "mode": 2},
    }
    assert found["units"]["all"]["total_visible"] == 3
    assert found["units"]["all"]["num_blocks"] == {"min": 0, "max": 3, "mean": 2, "median": 2, "mode": 0}
    assert found["units"]["exclude_graded"]["num_blocks"]["max"] == 2
    assert found["videos"] == {
        "total_number": 2,
        "num_mobile_encoded": 0,
        "num_with_val_id": 1,
        "durations": {"min": None, "max": None, "mean": None, "median": None, "mode": None},
    }


def test_a_tree_that_goes_in_circles_or_names_nothing_is_counted_once():
    odd = {"chapter@a": block("chapter@a", ["chapter@a", "nothing@1", "sequential@1"])}
    assert inspect(snapshot(**odd))["sections"]["total_number"] == 2


@pytest.mark.parametrize("value", [None, 5, "", "never", "0001-01-01T00:00:00+23:59", [], "2030-02-30"])
def test_what_is_no_date_counts_as_not_set(value):
    assert moment(value) is None


def test_the_default_start_is_no_start():
    assert inspect(snapshot({"start": "2030-01-01T00:00:00Z"}))["dates"]["has_start_date"] is False


def test_of_nothing_there_is_no_mean():
    assert set(spread([]).values()) == {None}
