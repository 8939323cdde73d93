"""Refusals about accounts."""

from common.errors import Conflict, Forbidden, Invalid, NotFound


class UserNotFound(NotFound):
    """No such user."""

    code = "user_not_found"


class UserTaken(Conflict):
    """This username or e-mail address is taken."""

    code = "user_taken"


class UserTwice(Invalid):
    """The list names a username or e-mail address twice."""

    code = "user_twice"


class TooManyPasswords(Invalid):
    """A list of users may carry at most 50 passwords; set the others one by one."""

    code = "too_many_passwords"


class LinkNotFound(NotFound):
    """No such external id."""

    code = "external_id_not_found"


class LinkTaken(Conflict):
    """This external key is linked already in this organization."""

    code = "external_id_taken"


class RoleNotFound(NotFound):
    """No such org role."""

    code = "org_role_not_found"


class GrantNotFound(NotFound):
    """No such creator grant."""

    code = "creator_grant_not_found"


class GrantNotYours(Forbidden):
    """Only global staff and holders of a wider designation may do this."""

    code = "grant_not_yours"


class AccountRetired(Conflict):
    """This account was retired."""

    code = "user_retired"
