"""A process that was told nonsense does not start."""

import pytest
from pydantic import ValidationError

from common.settings import ServiceSettings, UnknownSettings, load_settings

NEEDED = {
    "LECTERN_DATABASE_URL": "postgresql://u:secret@127.0.0.1/x",
    "LECTERN_AMQP_URL": "amqp://127.0.0.1/",
    "LECTERN_BLOBS_URL": "file:///tmp/blobs",
    "LECTERN_HTTP_PORT": "8001",
    "LECTERN_TOPOLOGY_FILE": "contracts/topology.yaml",
}


@pytest.fixture
def environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith("LECTERN_")]:
        monkeypatch.delenv(name)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_read(environment):
    settings = load_settings(ServiceSettings)
    assert settings.http_port == 8001
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("missing", sorted(NEEDED))
def test_addresses_and_secrets_have_no_default(environment, missing):
    environment.delenv(missing)
    with pytest.raises(ValidationError):
        load_settings(ServiceSettings)


def test_a_misspelt_variable_is_an_error(environment):
    environment.setenv("LECTERN_DATABSE_URL", "x")
    with pytest.raises(UnknownSettings, match="LECTERN_DATABSE_URL"):
        load_settings(ServiceSettings)
