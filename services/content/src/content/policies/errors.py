"""Refusals about access policies."""

from common.errors import Forbidden, NotFound


class InfoNotOpen(Forbidden):
    """The team of this course has not opened its description to you."""

    code = "access_policy"


class NoPolicy(NotFound):
    """This block has no access policy of its own."""

    code = "policy_not_found"


class WrongUnlockKey(Forbidden):
    """This is not an unlock key of this course."""

    code = "wrong_unlock_key"


class NoUnlockKey(NotFound):
    """This course has no such unlock key."""

    code = "unlock_key_not_found"


class MayNotDecide(Forbidden):
    """Only the team of a course decides who reads its blocks."""

    code = "permission_denied"
