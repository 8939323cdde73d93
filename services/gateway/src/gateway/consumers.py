"""Every message this service hears: none yet. The gateway owns what it knows."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel

from common.messaging import Subscription

HEARS: Final[Mapping[str, type[BaseModel]]] = {}
SUBSCRIPTIONS: Final[Sequence[Subscription]] = ()
