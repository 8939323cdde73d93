"""Refusals about uploads."""

from common.errors import Invalid, TooLarge, UnsupportedMediaType


class MissingFile(Invalid):
    """Missing required parameter"""

    code = "missing_file"


class WrongFormat(Invalid):
    """Parameter in the wrong format"""

    code = "wrong_format"


class SeveralFiles(Invalid):
    """One archive at a time: the form holds several files."""

    code = "several_files"


class BrokenForm(Invalid):
    """The multipart form is cut short or malformed."""

    code = "malformed_form"


class EmptyUpload(Invalid):
    """The uploaded archive is empty."""

    code = "empty_upload"


class NotAnArchive(Invalid):
    """The uploaded file is neither a gzip-compressed tar, nor a tar, nor a zip archive."""

    code = "not_an_archive"


class UploadTooLarge(TooLarge):
    """The uploaded archive is too large."""

    code = "upload_too_large"


class UnsupportedUpload(UnsupportedMediaType):
    """Send the archive as multipart/form-data or as a body of type application/x-tgz, application/gzip or
    application/octet-stream.
    """

    code = "unsupported_upload"


class BadOptions(Invalid):
    """The options of this import are not valid."""

    code = "bad_options"
