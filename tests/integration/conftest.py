"""The whole system, started once for all integration tests: real servers, five processes, the gateway in front."""

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api import Client, admin_of

from common.testing.system import System, running_system

# A hook's repository is on this machine in tests; the job of a killed process is taken up after two seconds, not thirty
ENVIRONMENT = {
    "gateway": {"LECTERN_RATE_LIMITS": "off"},
    "import-export": {"LECTERN_HOOK_INTERNAL_URLS": "true", "LECTERN_JOB_LEASE_SECONDS": "2"},
}


@dataclass(frozen=True)
class Running:
    """A system that somebody else started, in its home folder: enough for the tests that kill nothing."""

    home: Path

    @property
    def base_url(self) -> str:
        return str(json.loads((self.home / "credentials.json").read_text())["base_url"])


@pytest.fixture(scope="session")
def system(request, repository) -> Iterator[System | Running]:
    """A system of the tests' own; with LECTERN_TEST_HOME (`.lectern` after `make start`) the one that runs there.

    After a failure the services' logs are kept in `.lectern/test-logs`.
    """
    if home := os.environ.get("LECTERN_TEST_HOME"):
        yield Running(Path(home))
        return
    with running_system(environment=ENVIRONMENT) as system:
        yield system
        if request.session.testsfailed:
            kept = repository / ".lectern/test-logs"
            shutil.copytree(system.home / "logs", kept, dirs_exist_ok=True)


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
