"""Refusals of the parking lot."""

from common.errors import Conflict, NotFound


class ParkedMessageNotFound(NotFound):
    """No parked message has this id."""

    code = "parked_message_not_found"


class NotParked(Conflict):
    """This message was replayed or discarded already."""

    code = "not_parked"
