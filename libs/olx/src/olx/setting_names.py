"""The types of well-known settings, by name: what their attributes mean whatever they look like."""

from typing import Final

# fmt: off
BOOLEANS: Final = frozenset({
    "allow_anonymous", "allow_anonymous_to_peers", "allow_latex", "allow_multiple_files",
    "allow_public_wiki_access", "allow_resetting_children", "cert_html_view_enabled",
    "certificates_show_before_end", "completed", "course_staff_only", "create_zendesk_tickets",
    "disable_progress_graph", "download_track", "download_video", "edxnotes", "edxnotes_visibility",
    "enable_ccx", "enable_proctored_exams", "enable_subsection_gating", "enable_timed_exams",
    "entrance_exam_enabled", "force_on_flexible_peer_openassessments", "graded", "has_score", "hide_after_due",
    "hide_from_toc", "highlights_enabled_for_messaging", "in_entrance_exam", "invitation_only",
    "is_entrance_exam", "is_new", "is_onboarding_exam", "is_practice_exam", "is_proctored_enabled",
    "is_time_limited", "ispublic", "mobile_available", "no_grade", "open_in_a_new_page", "private_results",
    "self_paced", "show_calculator", "show_captions", "show_reset_button", "show_timezone", "use_latex",
    "use_latex_compiler", "video_auto_advance", "video_speed_optimizations", "visible_to_staff_only",
})
"""True or false."""

NUMBERS: Final = frozenset({
    "attempts", "days_early_for_beta", "default_time_limit_minutes", "entrance_exam_minimum_score_pct",
    "index_in_children_list", "max_attempts", "max_count", "max_student_enrollments_allowed", "max_submissions",
    "min_count", "minimum_grade_credit", "num_inputs", "num_top_words", "points", "relative_weeks_due",
    "submission_wait_seconds", "user_partition_id", "weight",
})
"""Whole numbers or fractions; empty means not set."""

TEXTS: Final = frozenset({
    "advertised_start", "announcement", "answer", "banner_image", "catalog_visibility", "cert_name_long",
    "cert_name_short", "certificate_available_date", "course_edit_method", "course_image", "course_visibility",
    "description", "discussion_category", "discussion_id", "discussion_link", "discussion_target",
    "display_coursenumber", "display_name", "display_organization", "due", "edited_by", "edx_video_id", "end",
    "end_time", "enrollment_domain", "enrollment_end", "enrollment_start", "feedback", "format", "giturl",
    "graceperiod", "handout", "html", "id", "info_sidebar_name", "instructions", "label", "language",
    "launch_url", "license", "link", "lti_id", "markdown", "name", "number", "only_on_web",
    "parent_sequential_url", "parent_url", "prompt", "question", "question_text", "rerandomize", "semester",
    "short_description", "show_correctness", "showanswer", "source", "source_file", "source_library_id",
    "source_library_version", "start", "start_time", "static_asset_path", "sub", "submission_due",
    "submission_start", "subtitle", "target", "text", "title", "track", "url", "url_slug", "version",
    "video_thumbnail_image", "wiki_slug", "xqa_key", "youtube", "youtube_id_0_75", "youtube_id_1_0",
    "youtube_id_1_25", "youtube_id_1_5",
})
"""Texts, also where they look like a number or like JSON."""
# fmt: on
