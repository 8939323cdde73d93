"""Refusals about uploads."""

from common.errors import Conflict, Invalid, TooLarge, Unprocessable, UnsupportedMediaType


class MissingFile(Invalid):
    """Missing required parameter"""

    code = "missing_file"


class WrongFormat(Invalid):
    """Parameter in the wrong format"""

    code = "wrong_format"


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


class BadContentRange(Invalid):
    """Content-Range must be `bytes FIRST-LAST/TOTAL`, and the body the bytes it names."""

    code = "bad_content_range"


class BadChecksum(Invalid):
    """A checksum is a SHA-256: 64 hexadecimal digits in `sha256`, or base64 in Repr-Digest."""

    code = "bad_checksum"


class ChecksumMismatch(Unprocessable):
    """The received archive has another checksum than was announced; nothing of it is kept."""

    code = "checksum_mismatch"


class PartsMissing(Conflict):
    """Some chunks missed during file upload. Please try again"""

    code = "parts_missing"


class PartsDisagree(Conflict):
    """File upload failed. Please try again"""

    code = "parts_disagree"


class TooManyParts(Invalid):
    """An upload may come in at most 10,000 parts."""

    code = "too_many_parts"
