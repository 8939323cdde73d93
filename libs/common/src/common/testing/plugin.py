"""Fixtures: real PostgreSQL and RabbitMQ, a migrated database per service, callers' headers.

Servers come from `LECTERN_TEST_POSTGRES_URL` / `LECTERN_TEST_AMQP_URL`, else private instances are started for the run.
A missing server is an error, never a skip.

Under xdist each worker has a virtual host of its own, and tests that share fixtures of a session stay in one worker.
"""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from common.testing.identity import TestKeys

hypothesis_settings.register_profile(
    "lectern", deadline=None, max_examples=50, suppress_health_check=list(HealthCheck), derandomize=True
)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lectern"))

# The virtual hosts of a run with several workers, one each, parted by spaces.
AMQP_URLS = "LECTERN_TEST_AMQP_URLS"
# Set where the PostgreSQL ends with the run: nobody need drop its databases, each at the price of a checkpoint.
ENDS = "LECTERN_TEST_POSTGRES_ENDS"
# What is started first where there are several workers: the longest, so that none of them is left alone at the end.
_FIRST = ("tests/integration", "deploy/local")


def pytest_configure(config: pytest.Config) -> None:
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        urls = os.environ.get(AMQP_URLS, "").split()
        os.environ["LECTERN_TEST_AMQP_URL"] = urls[int(worker.removeprefix("gw"))]


def _group_of(nodeid: str) -> str:
    return "/".join(nodeid.split("/")[:2])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist, in the order in which workers take the groups: the larger ones before the smaller."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    sizes = Counter(_group_of(item.nodeid) for item in items)
    rank = {name: number for number, name in enumerate(_FIRST)}

    def place(item: pytest.Item) -> tuple[int, int, str]:
        group = _group_of(item.nodeid)
        return rank.get(group, len(rank)), -sizes[group], group

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """One group per service or library, the whole system's tests in one: each starts its servers and tables once.

    Not by `xdist_group`: xdist 3.8 writes that into a name that pytest 9 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only xdist asks

    class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return _group_of(nodeid)

    return Groups(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def postgres_url(servers: ExitStack) -> str:
    """A superuser's URL of a real PostgreSQL."""
    if given := os.environ.get("LECTERN_TEST_POSTGRES_URL"):
        return given
    from common.testing.servers import test_postgres  # noqa: PLC0415 - only where no URL is given

    return str(servers.enter_context(test_postgres()))


@pytest.fixture(scope="session")
def amqp_url(servers: ExitStack) -> str:
    """A real RabbitMQ virtual host that this test run has for itself."""
    if given := os.environ.get("LECTERN_TEST_AMQP_URL"):
        return given
    from common.testing.servers import test_rabbitmq  # noqa: PLC0415 - only where no URL is given

    return str(servers.enter_context(test_rabbitmq()))


@pytest.fixture(scope="session")
def keys() -> TestKeys:
    return TestKeys.generate()


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def make_database(postgres_url: str) -> Iterator[Callable[..., str]]:
    """`make_database("content")` → URL of a new database, migrated as the package's migrations say.

    Without a package it is empty. Dropped at the end, where the server lives on.
    """
    made: list[str] = []
    templates: dict[str, str] = {}

    def make(package: str | None = None) -> str:
        name = f"lectern_test_{package or 'empty'}_{uuid.uuid4().hex[:10]}"
        template = templates.get(package or "")
        source = f" template {template}" if template else ""
        asyncio.run(_execute(postgres_url, f"create database {name}{source}"))
        made.append(name)
        if package and not template:
            from common.migrations import migrations_folder, upgrade  # noqa: PLC0415 - alembic only where asked for

            upgrade(package, _with_database(postgres_url, name), migrations_folder(package))
            kept = f"{name}_template"
            asyncio.run(_execute(postgres_url, f"create database {kept} template {name}"))
            made.append(kept)
            templates[package] = kept
        return _with_database(postgres_url, name)

    def in_thread(package: str | None = None) -> str:
        """asyncio.run inside needs a thread without a loop: fixtures of async tests run inside one."""

        with ThreadPoolExecutor(1) as one:
            return one.submit(make, package).result()

    yield in_thread

    if ENDS in os.environ or "LECTERN_TEST_POSTGRES_URL" not in os.environ:
        return
    with ThreadPoolExecutor(1) as one:
        drops = (f"drop database if exists {name} with (force)" for name in reversed(made))
        one.submit(lambda: asyncio.run(_execute(postgres_url, *drops))).result()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return next(folder for folder in Path(__file__).resolve().parents if (folder / "requirements.lock").exists())


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[str], object]]:
    """`await connect(url)` → an asyncpg connection, closed after the test."""
    opened: list[asyncpg.Connection] = []

    async def make(url: str) -> asyncpg.Connection:
        connection = await asyncpg.connect(url)
        opened.append(connection)
        return connection

    yield make
    for connection in opened:
        await connection.close()
