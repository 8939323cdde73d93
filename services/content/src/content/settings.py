"""What the content service reads from its environment, beside what all services share."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Each variable is listed once in the README."""

    asset_max_age: int = 300
    asset_max_bytes: int = 10_000_000
    anonymous_max_age: int = 300
    tree_cache_blocks: int = 200_000
