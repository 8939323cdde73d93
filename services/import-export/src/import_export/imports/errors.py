"""Refusals about imports."""

from common.errors import Invalid


class MissingParameter(Invalid):
    """Missing required parameter"""

    code = "missing_parameter"
