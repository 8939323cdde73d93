"""What the gateway reads from its environment, beside what all services share."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from common.settings import ServiceSettings

Listed = Annotated[tuple[str, ...], NoDecode]


class Settings(ServiceSettings):
    """Each variable is listed once in the README. Secrets have no default."""

    internal_private_key: SecretStr
    token_private_key: SecretStr
    token_public_keys: str = ""
    token_pepper: SecretStr = Field(min_length=16)
    token_issuer: str = ""
    token_audience: str = "lectern"  # noqa: S105 - a name
    token_seconds: int = Field(default=3600, ge=60, lt=86_400)
    refresh_days: int = Field(default=14, ge=1, le=365)
    session_hours: int = Field(default=12, ge=1, le=24 * 30)
    admin_client_id: str = Field(min_length=3)
    admin_client_secret: SecretStr = Field(min_length=16)
    edx_api_key: SecretStr | None = None
    upstreams: dict[str, str]
    upstream_connections: int = Field(default=400, ge=1)
    rate_limits: Literal["on", "off"] = "on"
    rate_policy_file: Path = Path(__file__).with_name("rate_limits.yaml")
    redis_url: SecretStr | None = None
    trusted_proxies: Listed = ()
    public_hosts: Listed = ()
    country_header: str = ""
    metrics_networks: Listed = ("127.0.0.0/8", "::1/128")
    access_log: bool = True

    @field_validator("trusted_proxies", "public_hosts", "metrics_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Comma separated, or a JSON list."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return tuple(json.loads(value))
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("edx_api_key", "redis_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """An empty variable is one that was not set: an empty API key must let nobody in."""
        return None if value == "" else value

    @model_validator(mode="before")
    @classmethod
    def _derive_public_key(cls, data: Any) -> Any:
        """The gateway is also a service behind itself, and verifies its own internal tokens."""
        private = data.get("internal_private_key")
        if private and not data.get("internal_public_key"):
            text = private.get_secret_value() if isinstance(private, SecretStr) else private
            data["internal_public_key"] = json.dumps(internal_key(text).as_dict(private=False))
        return data

    @property
    def issuer(self) -> str:
        return self.token_issuer or f"{self.public_url.rstrip('/')}/oauth2"


def internal_key(text: str) -> OKPKey:
    """The Ed25519 private JWK that signs internal tokens. Raises ValueError."""
    try:
        key = OKPKey.import_key(json.loads(text))
    except JoseError as error:
        raise ValueError("LECTERN_INTERNAL_PRIVATE_KEY is not an Ed25519 JWK") from error
    if not key.is_private or key.curve_name != "Ed25519":
        raise ValueError("LECTERN_INTERNAL_PRIVATE_KEY is not a private Ed25519 JWK")
    return key
