"""What every service process reads from its environment."""

import os
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "LECTERN_"


class ServiceSettings(BaseSettings):
    """The variables all services share; each service adds its own in its `settings.py`.

    Secrets and addresses have no default: a process that was not told where its database is does not start.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    database_url: SecretStr
    amqp_url: SecretStr
    blobs_url: str
    http_host: str = "127.0.0.1"
    http_port: int
    internal_public_key: str = ""
    topology_file: Path
    migrations_dir: Path | None = None
    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"
    public_url: str = "http://127.0.0.1:8000"
    database_pool: int = 10
    relay_poll_seconds: float = 1.0
    shutdown_seconds: float = 20.0
    crash_at: str | None = None


S = TypeVar("S", bound=ServiceSettings)


class UnknownSettings(Exception):
    """These LECTERN_ variables belong to no setting of this service."""


def load_settings(cls: type[S]) -> S:
    """Read the environment; a misspelt variable of ours is an error, not a silently kept default.

    Raises `UnknownSettings` or pydantic's `ValidationError`.
    """
    known = {f"{PREFIX}{name.upper()}" for name in cls.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise UnknownSettings(f"Unknown settings for {cls.__module__}: {', '.join(unknown)}")
    return cls()
