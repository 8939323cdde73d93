"""The whole system as local processes: what `make run` shows, integration tests drive and benchmarks measure."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypedDict

from joserfc.jwk import OKPKey, RSAKey

from common.messaging.topology import load_topology
from common.messaging.transport import connect
from common.testing.keeper import Child, clean_environment, free_ports, spawn, temporary_folder
from common.testing.servers import (
    AMQP_VARIABLE,
    POSTGRES_VARIABLE,
    Broker,
    Given,
    Postgres,
    own_variable,
    postgres,
    rabbitmq,
    run_sql,
    with_database,
)

GATEWAY = "gateway"
# folder under services/ and on the wire → Python package
SERVICES = {
    GATEWAY: "gateway",
    "course-catalog": "course_catalog",
    "content": "content",
    "enrollment": "enrollment",
    "import-export": "import_export",
}
_EVERY = "*"


class ServiceFailed(Exception):
    """A service process ended that should be running."""


class NotReady(Exception):
    """The system did not become ready in time."""


class Credentials(TypedDict):
    """What `.lectern/credentials.json` holds."""

    base_url: str
    client_id: str
    client_secret: str
    edx_api_key: str
    amqp_url: str
    databases: dict[str, str]


class _Secrets(TypedDict):
    internal_private_key: str
    internal_public_key: str
    token_private_key: str
    token_pepper: str
    admin_client_id: str
    admin_client_secret: str
    edx_api_key: str
    database_password: str
    demo_password: str


def repository_root() -> Path:
    """The checkout that this package is installed from."""
    return next(folder for folder in Path(__file__).resolve().parents if (folder / "requirements.lock").exists())


class System:
    """Five services over given servers; every process, log and secret belongs to *home*.

    `environment` adds variables: per service name, or for all under "*". Labels name processes: a service's own is its
    name, extra ones (three relays, say) have the label they were started with.
    """

    def __init__(
        self,
        home: Path,
        *,
        postgres: Postgres,
        broker: Broker,
        port: int | None = None,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        database_prefix: str = "lectern",
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.postgres = postgres
        self.broker = broker
        self.repository = repository_root()
        self.port = port or free_ports(1)[0]
        self._environment = {name: dict(values) for name, values in (environment or {}).items()}
        self._ports = dict(zip(SERVICES, [self.port, *free_ports(len(SERVICES) - 1)], strict=True))
        self._names = {service: f"{database_prefix}_{package}" for service, package in SERVICES.items()}
        self._owners = False
        self._secrets = _keep_secrets(home / "secrets.json")
        self._children: dict[str, Child] = {}
        self._started: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {}

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def databases(self) -> dict[str, str]:
        """The URL of each service's database, as that service's own role where we may make roles."""
        return {service: self._database_url(service) for service in SERVICES}

    @property
    def credentials(self) -> Credentials:
        return {
            "base_url": self.base_url,
            "client_id": self._secrets["admin_client_id"],
            "client_secret": self._secrets["admin_client_secret"],
            "edx_api_key": self._secrets["edx_api_key"],
            "amqp_url": self.broker.url,
            "databases": self.databases,
        }

    @property
    def demo_password(self) -> str:
        return self._secrets["demo_password"]

    def service_url(self, service: str) -> str:
        """Where a service listens itself, behind the gateway."""
        return f"http://127.0.0.1:{self._ports[service]}"

    @property
    def internal_private_key(self) -> str:
        """The gateway's signing key (JWK), for callers that speak to a service directly."""
        return self._secrets["internal_private_key"]

    def log(self, label: str) -> Path:
        return self.home / "logs" / f"{label}.log"

    def child(self, label: str) -> Child:
        return self._children[label]

    def prepare(self) -> None:
        """Databases, migrations, the broker's topology, credentials.json. Quick where nothing is due."""
        self._make_databases()
        due = self._migrations_due()
        if due is not None:
            with ThreadPoolExecutor(len(SERVICES)) as threads:
                # they wait for the broker themselves when the tables are done; if it fails, that is the better message
                migrations = [threads.submit(self._migrate, service) for service in SERVICES]
                self.broker.wait_ready()
                for migration in migrations:
                    migration.result()
            (self.home / "migrated").write_text(due)
        path = self.home / "credentials.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.credentials, indent=2) + "\n")

    def start(self, *services: str) -> None:
        """Start the processes (all by default) without waiting; they wait for their servers themselves."""
        for service in services or tuple(SERVICES):
            self.spawn(service)

    def spawn(
        self,
        service: str,
        role: str = "all",
        *words: str,
        label: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """One process of a service in a role, or running a command with its words.

        A new label makes an extra one beside the service's own.
        """
        label = label or service
        extra = dict(environment or {})
        variables = self._variables(service) | extra
        if label != service and role in ("serve", "all"):
            variables.setdefault("LECTERN_HTTP_PORT", str(free_ports(1)[0]))
        child = spawn(
            [sys.executable, "-m", SERVICES[service], role, *words],
            environment=clean_environment() | variables,
            log=self.log(label),
            folder=self.repository,
        )
        self._children[label] = child
        self._started[label] = (service, (role, *words), extra)
        return child

    def again(self, label: str) -> Child:
        """Start *label* as it was started before."""
        service, words, environment = self._started[label]
        return self.spawn(service, *words, label=label, environment=environment)

    def stop(self, *labels: str) -> None:
        """Stop these processes, or all: the gateway first, so that nothing new comes in, then the rest side by side."""
        chosen = [label for label in labels or (GATEWAY, *self._children) if label in self._children]
        if not labels and GATEWAY in chosen:
            self._children.pop(GATEWAY).stop()
        children = [self._children.pop(label) for label in dict.fromkeys(chosen) if label in self._children]
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()

    def kill(self, label: str) -> None:
        """SIGKILL."""
        self._children.pop(label).kill()

    def restart(self, label: str) -> Child:
        """Stop it, if it runs, and start it as before."""
        if label in self._children:
            self.stop(label)
        return self.again(label)

    def ended(self) -> list[tuple[str, Child]]:
        """Processes that ended without being asked to."""
        return [(label, child) for label, child in self._children.items() if child.returncode is not None]

    def wait_ready(self, seconds: float = 60) -> None:
        """Until the gateway says that it and all four services can serve. Raises `ServiceFailed` or `NotReady`."""
        deadline = time.monotonic() + seconds
        while True:
            for label, child in self.ended():
                raise ServiceFailed(
                    f"{label} ended with code {child.returncode}. The end of {child.log}:\n{child.log_tail()}"
                )
            status, body = self._ready()
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise NotReady(f"{self.base_url}/health/ready after {seconds:.0f} s: {status or 'no answer'} {body}")
            time.sleep(0.05)

    def wait_hearing(self, seconds: float = 30) -> None:
        """Until every queue of every service has a consumer; before that, what one says the others do not know.

        A service can serve without the broker, so that it is ready says nothing of this. Raises `NotReady`.
        """
        with ThreadPoolExecutor(1) as thread:  # the caller may have a loop of its own
            silent = thread.submit(asyncio.run, self._hear(seconds)).result()
        if silent:
            raise NotReady(f"Nobody hears {', '.join(silent)} after {seconds:.0f} s.")

    async def _hear(self, seconds: float) -> list[str]:
        queues = load_topology(self.repository / "contracts" / "topology.yaml").work_queues.values()
        silent = [queue for own in queues for queue in own]
        deadline = time.monotonic() + seconds
        async with await connect(self.broker.url, "waits for the consumers") as connection:
            channel = await connection.channel(publisher_confirms=False)
            while True:
                declared = [await channel.declare_queue(name, passive=True) for name in silent]
                silent = [queue.name for queue in declared if not queue.declaration_result.consumer_count]
                if not silent or time.monotonic() > deadline:
                    return silent
                await asyncio.sleep(0.1)

    def drop_databases(self) -> None:
        """Forget them, on a server that others use too."""
        for name in self._names.values():
            run_sql(self.postgres.url, f'drop database if exists "{name}" with (force)')
            if self._owners:
                run_sql(self.postgres.url, f'drop role if exists "{name}"')

    def _ready(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health/ready")
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        connection.close()
        return 0, ""

    def _database_url(self, service: str) -> str:
        url = with_database(self.postgres.url, self._names[service])
        if not self._owners:
            return url
        owner = f"//{self._names[service]}:{self._secrets['database_password']}@"
        return re.sub(r"//([^/]*@)?", owner, url, count=1)

    def _make_databases(self) -> None:
        """One database per service, owned by a role that may connect to that one only."""
        url = self.postgres.url
        (role,), databases, roles = run_sql(
            url,
            "select rolsuper from pg_roles where rolname = current_user",
            "select datname from pg_database",
            "select rolname from pg_roles",
        )
        self._owners = role["rolsuper"]
        there = {row["datname"] for row in databases}
        known = {row["rolname"] for row in roles}
        for name in self._names.values():
            statements = []
            if self._owners and name not in known:
                statements.append(f'create role "{name}" login')
            if self._owners:
                statements.append(f"alter role \"{name}\" password '{self._secrets['database_password']}'")
            if name not in there:
                owner = f' owner "{name}"' if self._owners else ""
                statements += [f'create database "{name}"{owner}', f'revoke connect on database "{name}" from public']
            run_sql(url, *statements)

    def _migrations_due(self) -> str | None:
        """What to remember once all is migrated; None when that is what is remembered already.

        Servers named by URL may have been emptied by others, so there it is always due.
        """
        digest = hashlib.sha256(json.dumps(list(self._names.values())).encode())
        sources = [self.repository / "contracts/topology.yaml", *self.repository.glob("services/*/migrations/**/*.py")]
        package = Path(__file__).resolve().parents[1]
        sources += [package / "migrations.py", *package.glob("messaging/*.py")]
        for path in sorted(sources):
            digest.update(path.read_bytes())
        ours = not (os.environ.get(POSTGRES_VARIABLE) or os.environ.get(AMQP_VARIABLE))
        kept = self.home / "migrated"
        if ours and kept.exists() and kept.read_text() == digest.hexdigest():
            return None
        return digest.hexdigest()

    def _migrate(self, service: str) -> None:
        child = spawn(
            [sys.executable, "-m", SERVICES[service], "migrate"],
            environment=clean_environment() | self._variables(service),
            log=self.log(f"{service}-migrate"),
            folder=self.repository,
        )
        child.wait(300)
        child.stop()
        if child.returncode != 0:
            raise ServiceFailed(f"{service}: migrate ended with code {child.returncode}:\n{child.log_tail(40)}")

    def _variables(self, service: str) -> dict[str, str]:
        """The LECTERN_ variables of one service: those it knows, since it refuses others."""
        blobs = self.home / "blobs"
        blobs.mkdir(exist_ok=True)
        variables = {
            "database_url": self._database_url(service),
            "amqp_url": self.broker.url,
            "blobs_url": blobs.resolve().as_uri(),
            "http_host": "127.0.0.1",
            "http_port": str(self._ports[service]),
            "topology_file": str(self.repository / "contracts/topology.yaml"),
            "public_url": self.base_url,
        }
        if service == GATEWAY:
            upstreams = {name: self.service_url(name) for name in SERVICES if name != GATEWAY}
            variables["upstreams"] = json.dumps(upstreams)
            for name in ("internal_private_key", "token_private_key", "token_pepper", "edx_api_key"):
                variables[name] = self._secrets[name]
            variables["admin_client_id"] = self._secrets["admin_client_id"]
            variables["admin_client_secret"] = self._secrets["admin_client_secret"]
        else:
            variables["internal_public_key"] = self._secrets["internal_public_key"]
        if service == "import-export":
            spool = self.home / "spool"
            spool.mkdir(exist_ok=True)
            variables["spool_dir"] = str(spool)
        given = {f"LECTERN_{name.upper()}": value for name, value in variables.items()}
        return given | self._environment.get(_EVERY, {}) | self._environment.get(service, {})


def _keep_secrets(path: Path) -> _Secrets:
    """Made once, readable by the owner only."""
    if not path.exists():
        internal = OKPKey.generate_key("Ed25519")
        made: _Secrets = {
            "internal_private_key": json.dumps(internal.as_dict(private=True)),
            "internal_public_key": json.dumps(internal.as_dict(private=False)),
            "token_private_key": json.dumps(RSAKey.generate_key(2048).as_dict(private=True)),
            "token_pepper": secrets.token_urlsafe(32),
            "admin_client_id": f"lectern-{secrets.token_hex(6)}",
            "admin_client_secret": secrets.token_urlsafe(32),
            "edx_api_key": secrets.token_urlsafe(32),
            "database_password": secrets.token_hex(24),
            "demo_password": secrets.token_urlsafe(9),
        }
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(made, indent=2))
        draft.rename(path)
    kept: _Secrets = json.loads(path.read_text())
    return kept


@contextmanager
def running_system(
    *, environment: Mapping[str, Mapping[str, str]] | None = None, start: bool = True, home: Path | None = None
) -> Iterator[System]:
    """A system with servers of its own on free ports, ready; everything is gone at the end.

    Its PostgreSQL and RabbitMQ are safe to kill (`system.postgres.kill()`, `.restart()`): fsync is on.
    """
    with ExitStack() as stack:
        folder = home or stack.enter_context(temporary_folder())
        broker = stack.enter_context(
            rabbitmq(folder / "rabbitmq", variable=own_variable("LECTERN_TEST_AMQP_URL"), wait=False)
        )
        database = stack.enter_context(
            postgres(folder / "postgres", variable=own_variable("LECTERN_TEST_POSTGRES_URL"))
        )
        prefix = f"lectern_{secrets.token_hex(4)}"
        system = System(folder, postgres=database, broker=broker, environment=environment, database_prefix=prefix)
        if isinstance(database, Given):
            stack.callback(system.drop_databases)
        stack.callback(system.stop)
        system.prepare()
        if start:
            system.start()
            broker.wait_ready()
            system.wait_ready()
            system.wait_hearing()
        yield system
