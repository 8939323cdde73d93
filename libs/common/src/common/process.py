"""`python -m <package> serve|consume|relay|all|migrate`: one service, its roles."""

import argparse
import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
import uvicorn
import uvloop
from pydantic import ValidationError
from starlette.types import ASGIApp

from common.messaging import Subscription, crash, run_consumers, run_relay
from common.resources import Resources, open_resources
from common.settings import ServiceSettings, UnknownSettings, load_settings
from common.telemetry import configure_logging

log = structlog.get_logger()
Background = Callable[[], Awaitable[None]]
# gets the rest of the command line, and returns the exit code
OperatorCommand = Callable[[Resources, Sequence[str]], Awaitable[int]]
ROLES = ("serve", "consume", "relay", "all", "migrate")


def _nothing(_: Resources) -> Sequence[Background]:
    return ()


@dataclass(frozen=True)
class Service:
    """What a service is made of; the one constant of its `app.py`."""

    name: str
    package: str
    settings: type[ServiceSettings]
    create_app: Callable[[Resources], ASGIApp]
    subscriptions: Callable[[Resources], Sequence[Subscription]]
    background: Callable[[Resources], Sequence[Background]] = _nothing
    commands: Mapping[str, OperatorCommand] = field(default_factory=dict)
    """Beside the roles: what an operator runs once; its words are the rest of the command line."""


def main(service: Service) -> None:
    """Run the role named on the command line. Exit code 2 for bad usage or settings."""
    parser = argparse.ArgumentParser(prog=f"python -m {service.package}", description=f"The {service.name} service.")
    parser.add_argument("role", choices=(*ROLES, *service.commands))
    # a command's options are its own to read
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of a command; roles have none")
    given = parser.parse_args()
    role, words = given.role, given.words
    if words and role in ROLES:
        parser.error(f"{role} takes no words")
    try:
        settings = load_settings(service.settings)
    except (ValidationError, UnknownSettings) as error:
        sys.stderr.write(f"{service.name}: {error}\n")
        raise SystemExit(2) from error
    configure_logging(service=service.name, level=settings.log_level, style=settings.log_format)
    if role == "migrate":
        from common.migrations import migrate  # noqa: PLC0415 - Alembic, 8 MB that the other roles never use

        migrate(service.package, settings)
        return
    if command := service.commands.get(role):
        raise SystemExit(uvloop.run(_command(service, command, settings, words)))
    # batches and trees make tens of thousands of small objects that live for one transaction or request; looking for
    # cycles among them after every 700 costs two fifths of a bulk command's time
    gc.set_threshold(20_000, 20, 50)
    uvloop.run(_run(service, role, settings))


async def _command(service: Service, command: OperatorCommand, settings: ServiceSettings, words: Sequence[str]) -> int:
    async with open_resources(service.name, settings) as resources:
        return await command(resources, words)


async def _run(service: Service, role: str, settings: ServiceSettings) -> None:
    crash.arm(settings.crash_at)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_resources(service.name, settings) as resources:
        tasks: list[asyncio.Task[None]] = []
        if role in ("serve", "all"):
            tasks.append(asyncio.create_task(_serve(service, resources, stop), name="serve"))
        if role in ("relay", "all"):
            tasks.append(asyncio.create_task(run_relay(resources), name="relay"))
        if role in ("consume", "all"):
            subscriptions = service.subscriptions(resources)
            tasks.append(asyncio.create_task(run_consumers(resources, subscriptions), name="consume"))
            tasks += [asyncio.create_task(_background(job), name="background") for job in service.background(resources)]
        log.info("started", role=role, port=settings.http_port if role in ("serve", "all") else None)
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        # a role that ends unasked has failed, also when it ends quietly (uvicorn does when a lifespan cannot start)
        failed = [task for task in done if task is not stopping]
        for task in failed:
            log.critical("role_died", role=task.get_name(), exc_info=task.exception())
        stop.set()
        await _drain(tasks, settings.shutdown_seconds)
    if failed:
        raise SystemExit(1)


async def _background(job: Background) -> None:
    await job()


async def _drain(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Let each role finish what it holds; consumers leave unfinished messages to the broker."""
    for task in tasks:
        if task.get_name() != "serve":
            task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*tasks, return_exceptions=True)
    log.info("stopped")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def _serve(service: Service, resources: Resources, stop: asyncio.Event) -> None:
    settings = resources.settings
    config = uvicorn.Config(
        service.create_app(resources),
        host=settings.http_host,
        port=settings.http_port,
        loop="none",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
    )
    server = _Server(config)
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.http_host, settings.http_port))

    async def watch() -> None:
        await stop.wait()
        server.should_exit = True

    watcher = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[listener])
    finally:
        watcher.cancel()
        listener.close()
