"""Refusals about assets."""

from common.errors import Invalid, NotFound


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
