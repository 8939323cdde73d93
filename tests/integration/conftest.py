"""The whole system, started once for all integration tests: real servers, five processes, the gateway in front."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api import Client, admin_of

from common.testing.system import System, running_system


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with running_system(environment={"gateway": {"LECTERN_RATE_LIMITS": "off"}}) as system:
        yield system


@pytest.fixture(scope="session")
def credentials(system) -> dict:
    return json.loads((system.home / "credentials.json").read_text())


@pytest.fixture(scope="session")
def amqp(credentials) -> str:
    return credentials["amqp_url"]


@pytest.fixture
async def http(system) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=system.base_url, timeout=30) as client:
        yield client


@pytest.fixture
async def admin(http, credentials) -> Client:
    return await admin_of(http, credentials)


@pytest.fixture(scope="session")
def sample_course(repository) -> Path:
    return repository / "deploy/local/sample-course"


@pytest.fixture(scope="session")
def demo_course(repository) -> Path:
    path = repository.parent / "shared/courses/openedx-demo-course.tar.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here: the demo course was not tried")
    return path
