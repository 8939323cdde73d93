"""Every message this service hears. The gateway owns what it knows, so these are requests only."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from common.messaging import Subscription
from common.resources import Resources
from gateway.accounts.commands import DeleteLinked, DeleteLinkedHandler
from gateway.settings import Settings

HEARS: Final[Mapping[str, type[BaseModel]]] = {"accounts.delete_linked.v1": DeleteLinked}


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """One queue of requests."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    delete_linked = DeleteLinkedHandler(settings.token_pepper.get_secret_value().encode())
    return (Subscription(queue="gateway.commands", handlers={"accounts.delete_linked.v1": delete_linked}),)
