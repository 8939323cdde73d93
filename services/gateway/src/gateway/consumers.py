"""Every message this service hears. The gateway owns what it knows, so these are requests only."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from common.messaging import Subscription
from common.messaging.announcing import AnnounceRequest
from common.resources import Resources
from gateway.accounts.commands import DeleteLinked, DeleteLinkedHandler
from gateway.announcements.queries import COMMAND as ANNOUNCE
from gateway.announcements.queries import announce
from gateway.settings import Settings

HEARS: Final[Mapping[str, type[BaseModel]]] = {
    "accounts.delete_linked.v1": DeleteLinked,
    "gateway.announce.v1": AnnounceRequest,
}


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """Requests; saying everything again waits in a queue of its own."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    delete_linked = DeleteLinkedHandler(settings.token_pepper.get_secret_value().encode())
    return (
        Subscription(queue="gateway.commands", handlers={"accounts.delete_linked.v1": delete_linked}),
        Subscription(queue="gateway.announce", handlers={ANNOUNCE: announce}, batch=1),
    )
