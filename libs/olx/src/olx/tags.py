"""What the names of elements and attributes mean."""

from typing import Final

STRUCTURAL: Final = frozenset(
    {
        "chapter",
        "conditional",
        "course",
        "itembank",
        "library",
        "library_content",
        "problemset",
        "randomize",
        "section",
        "sequential",
        "split_test",
        "timelimit",
        "vertical",
        "videosequence",
        "wrapper",
    }
)
"""Their child elements are blocks."""

# fmt: off
LEAVES: Final = frozenset({
    "annotatable", "combinedopenended", "crowdsource_hinter", "customtag", "discussion", "done", "drag-and-drop-v2",
    "edx_sga", "error", "foldit", "google-calendar", "google-document", "graphical_slider_tool", "html", "image",
    "imageannotation", "library_source", "lti", "lti_consumer", "openassessment", "peergrading", "poll",
    "poll_question", "problem", "rate", "recommender", "scorm", "slides", "staffgradedxblock", "survey",
    "textannotation", "video", "videoannotation", "word_cloud",
})
"""Their child elements are content."""
# fmt: on

ROOTS: Final = frozenset({"course", "library"})
"""Never below another block."""

CUSTOM_TAGS: Final = frozenset({"book", "discuss", "image", "slides", "videodev"})
"""Old spellings of `<customtag impl="...">`."""

FOLDERS: Final = frozenset(
    {"about", "assets", "custom_tags", "drafts", "info", "policies", "static", "static_import", "tabs"}
)
"""Folders of an archive that hold something else than definitions, so that no block type can have such a name."""

NEVER_SETTINGS: Final = frozenset(
    {
        "course",
        "data_dir",
        "discussion_blackouts",
        "filename",
        "grading_policy",
        "org",
        "slug",
        "tabs",
        "url_name",
        "x-is-pointer-node",
        "xml_attributes",
    }
)
"""Attributes that are not read as settings (a policy file may set those that are)."""

SAID_ELSEWHERE: Final = frozenset({"course", "filename", "org", "slug", "url_name"})
"""Those of them whose absence from the settings loses nothing."""

FAMILY: Final = "xblock-family"
"""Written on every element that an extension's block, or its remark on another's block, is kept in."""
ASIDES: Final = "xblock_asides.v1"
"""The family of such remarks, which are no blocks."""

KEPT_AS_WRITTEN: Final = frozenset({FAMILY})

FIELDS_ATTRIBUTE: Final = "lectern-fields"
"""Holds, as JSON, content that has no other place in an element."""

SETTINGS_ATTRIBUTE: Final = "lectern-settings"
"""Holds, as JSON, settings whose names cannot be attributes."""


def is_known(block_type: str) -> bool:
    """Is this one of the types whose attributes and children have a known meaning?"""
    return block_type in STRUCTURAL or block_type in LEAVES
