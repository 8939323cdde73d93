"""Refusals about assets."""

import inspect

from common.errors import Invalid, NotFound, TooLarge


class AssetNotFound(NotFound):
    """There is no such asset."""

    code = "asset_not_found"


class BadAssetKey(Invalid):
    """This is not the key of an asset."""

    code = "bad_asset_key"


class UnknownTypeFilter(Invalid):
    """The asset_type parameter to the request is invalid."""

    code = "invalid_asset_type_filter"


class BadParameter(Invalid):
    """A parameter of the request is not valid."""

    code = "invalid_parameter"


class NoFile(Invalid):
    """The form holds no part named "file", and the body is not JSON."""

    code = "no_file"


class UnexpectedField(Invalid):
    """This field is not expected."""

    code = "invalid"

    def __init__(self, name: str) -> None:
        shown = name[:100]
        message = inspect.cleandoc(self.__doc__ or "")
        super().__init__(f"{shown}: {message}", field_errors={shown: {"developer_message": message}})


class BadFileName(Invalid):
    """The file cannot be kept under this name."""

    code = "bad_file_name"


class FileTooLarge(TooLarge):
    """The file exceeds the maximum size."""

    code = "file_too_large"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"File {name} exceeds maximum size of {limit / 1_000_000:g} MB.")


class BadLock(Invalid):
    """The body must be a JSON object with "locked", true or false."""

    code = "invalid_lock"
