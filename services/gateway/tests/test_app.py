"""The gateway as a whole: no body in the framework's own shape, and nothing without its settings."""

import asyncio
import os
import sys

import pytest
from pydantic import ValidationError

from gateway.settings import Settings

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FRAMEWORK = ({"detail": "Not Found"}, {"detail": "Method Not Allowed"}, {"detail": "Unauthorized"})


async def test_no_refusal_has_the_frameworks_own_shape(client, staff):
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert len(paths) > 15
    for path in [*paths, "/api/accounts/v1/nothing", "/oauth2/nothing", "/api/user/v1/me/x", "/health/nothing"]:
        url = path.replace("{number}", "x").replace("{service}", "gateway").replace("{username}", "nobody-at-all")
        url = url.replace("{client_id}", "none").replace("{parked_id}", "x")
        for method in METHODS:
            for headers in ({}, staff):
                for content in (b"", b"[", b'{"x": 1}'):
                    answer = await client.request(
                        method, url, headers={**headers, "content-type": "application/json"}, content=content
                    )
                    if answer.status_code < 400:
                        continue
                    body = answer.json()
                    assert answer.status_code < 500, (method, url, content)
                    assert body not in FRAMEWORK, (method, url)
                    assert not isinstance(body.get("detail"), list), (method, url)


@pytest.mark.parametrize(
    "missing",
    [
        "internal_private_key",
        "token_private_key",
        "token_pepper",
        "admin_client_secret",
        "admin_client_id",
        "upstreams",
    ],
)
def test_there_is_no_default_for_a_secret_or_an_address(values, missing, monkeypatch):
    monkeypatch.delenv(f"LECTERN_{missing.upper()}", raising=False)
    with pytest.raises(ValidationError, match=missing):
        Settings(**{name: value for name, value in values.items() if name != missing})


@pytest.mark.parametrize(
    "change",
    [
        {"token_pepper": "short"},
        {"admin_client_secret": "short"},
        {"internal_private_key": "{}"},
        {"token_seconds": 86_400},
        {"rate_limits": "maybe"},
    ],
    ids=str,
)
def test_bad_settings_are_refused(values, change):
    with pytest.raises((ValidationError, ValueError)):
        Settings(**{**values, **change})


def test_lists_are_comma_separated_or_json(values):
    for text in ("10.0.0.0/8, 127.0.0.1", '["10.0.0.0/8", "127.0.0.1"]'):
        assert Settings(**{**values, "trusted_proxies": text}).trusted_proxies == ("10.0.0.0/8", "127.0.0.1")
    assert Settings(**{**values, "edx_api_key": ""}).edx_api_key is None


async def test_a_misspelt_variable_refuses_to_start(repository):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve",
        env={**os.environ, "LECTERN_RATE_LIMIT": "off"}, cwd=repository, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"LECTERN_RATE_LIMIT" in errors
