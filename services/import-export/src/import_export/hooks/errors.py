"""Refusals about hooks."""

from common.errors import Conflict, Invalid, NotFound, TooLarge, Unauthorized


class HookNotFound(NotFound):
    """There is no such hook."""

    code = "hook_not_found"


class PushNotFound(NotFound):
    """This hook has heard of no such push."""

    code = "push_not_found"


class BadSignature(Unauthorized):
    """The signature of this push is missing or wrong."""

    code = "bad_signature"


class BadPayload(Invalid):
    """This is not the payload of a push."""

    code = "bad_payload"


class PayloadTooLarge(TooLarge):
    """The payload of a push is at most 5 MB."""

    code = "payload_too_large"


class OtherRepository(Invalid):
    """This push is of another repository than the hook's."""

    code = "other_repository"


class BadRepository(Invalid):
    """A repository is fetched over http or https."""

    code = "bad_repository"


class InternalRepository(Invalid):
    """This repository is in an internal network, which LECTERN_HOOK_INTERNAL_URLS=true of the service would allow."""

    code = "internal_address"


class HookStopped(Conflict):
    """This hook is switched off."""

    code = "hook_stopped"


class PushUnderWay(Conflict):
    """This push has not come to its end yet."""

    code = "push_under_way"
