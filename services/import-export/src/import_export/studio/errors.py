"""Refusals in Studio's words."""

from common.errors import Answer, NotFound, UnsupportedMediaType

# An upload that may be tried again as it is has stage 0, anything else -1.
_STAGE_0 = frozenset({"parts_missing", "parts_disagree", "unsupported_archive"})


class UnsupportedArchive(UnsupportedMediaType):
    """We only support uploading a .tar.gz file."""

    code = "unsupported_archive"


class OnlyJson(NotFound):
    """An upload is answered in JSON."""

    code = "only_json"


class NoExportYet(NotFound):
    """No export of this course has succeeded."""

    code = "no_export"


def upload_style(answer: Answer) -> object:
    """What Studio's uploader reads, and what all our errors have."""
    return {
        "ErrMsg": answer.message,
        "Stage": 0 if answer.code in _STAGE_0 else -1,
        "error": answer.message,
        "error_code": answer.code,
        **answer.extra,
    }
