"""Lectern on this machine: `run` in the foreground, `start` and `stop` behind it, `status`, `reset`.

Everything it makes is below `.lectern` (or LECTERN_HOME); one runner per such folder holds its lock while it lives.
"""

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import demo
import httpx

from common.testing import docker_servers
from common.testing.keeper import command_line, is_free
from common.testing.postgres_server import PostgresFailed, account, reachable_folder
from common.testing.rabbitmq_server import RabbitmqFailed
from common.testing.servers import (
    ExtensionsMissing,
    ServersMissing,
    ensure_available,
    postgres,
    rabbitmq,
    run_sql,
)
from common.testing.system import GATEWAY, SERVICES, NotReady, ServiceFailed, System, repository_root

OURS = frozenset({"LECTERN_PORT", "LECTERN_HOME", "LECTERN_POSTGRES_URL", "LECTERN_AMQP_URL"})
FOR_ALL = frozenset({"LECTERN_LOG_LEVEL", "LECTERN_LOG_FORMAT"})
FOR_GATEWAY = frozenset({"LECTERN_RATE_LIMITS", "LECTERN_REDIS_URL", "LECTERN_TRUSTED_PROXIES", "LECTERN_PUBLIC_HOSTS"})
FOR_ENROLLMENT = frozenset({"LECTERN_PROGRAM_RESET"})
FOR_IMPORT_EXPORT = frozenset({"LECTERN_HOOK_INTERNAL_URLS"})
MOST_RESTARTS = 5
CALM_SECONDS = 300.0
DATA = ("postgres", "rabbitmq", "blobs", "spool", "logs")
FILES = ("secrets.json", "credentials.json", "migrated", "seeded", "runner.json", "lock")


class CannotRun(Exception):
    """A sentence for the person at the terminal."""


class Stopped(BaseException):
    """SIGINT or SIGTERM came."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("command", choices=("run", "start", "stop", "status", "reset"))
    command = parser.parse_args().command
    home = Path(os.environ.get("LECTERN_HOME") or repository_root() / ".lectern").absolute()
    try:
        return {"run": run, "start": start, "stop": stop, "status": status, "reset": reset}[command](home)
    except (
        CannotRun, ServersMissing, ExtensionsMissing, PostgresFailed, RabbitmqFailed, ServiceFailed, NotReady,
        demo.SeedFailed,
    ) as error:  # fmt: skip
        _say(f"\n{error}")
        return 1
    except Stopped:
        return 0


def run(home: Path) -> int:
    """Everything in the foreground, until a signal comes."""
    began = time.monotonic()
    environment = service_environment(os.environ)
    port = gateway_port(os.environ)
    _make_home(home)
    with _only_runner(home), ExitStack() as stack:
        if not is_free(port):
            raise CannotRun(
                f"Port {port} is taken on this machine. Stop what listens there, or choose another port: "
                f"LECTERN_PORT={port + 1} make run"
            )
        _on_signals(stack)
        _remember(home, {"pid": os.getpid(), "state": "starting", "port": port})
        ensure_available()
        broker = stack.enter_context(rabbitmq(home / "rabbitmq", wait=False))
        database = stack.enter_context(postgres(home / "postgres"))
        _say(f"PostgreSQL: {database.how}\nRabbitMQ:   starting; migrations and services start beside it ...")
        system = System(home, postgres=database, broker=broker, port=port, environment=environment)
        stack.callback(_stop_services, system)
        system.prepare()
        system.start()
        broker.wait_ready()
        system.wait_ready()
        system.wait_hearing()
        _seed_once(system)
        text = banner(system, environment, time.monotonic() - began)
        _remember(home, {"pid": os.getpid(), "state": "ready", "port": port, "banner": text})
        _say(text)
        _watch(system)
    return 0


def start(home: Path) -> int:
    """`run` behind the terminal; comes back when the system is ready, or with what went wrong."""
    service_environment(os.environ)
    gateway_port(os.environ)
    _make_home(home)
    if _running(home) is None:
        log = home / "logs" / "runner.log"
        log.parent.mkdir(exist_ok=True)
        log.touch(mode=0o600)
        log.write_text("")
        with log.open("a") as output:
            runner = subprocess.Popen(
                [sys.executable, __file__, "run"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=repository_root(),
                start_new_session=True,
            )
        while (_running(home) or {}).get("state") != "ready":
            if runner.poll() is not None:
                raise CannotRun(f"It did not start.\n{log.read_text().strip()}")
            time.sleep(0.05)
    _say(str((_running(home) or {}).get("banner", "")))
    _say("It runs in the background: `make status`, `make stop`.")
    return 0


def stop(home: Path) -> int:
    """Ask the runner to stop everything, and wait until it has."""
    runner = _running(home)
    if runner is None:
        _say("Lectern is not running here.")
        return 0
    pid = int(str(runner["pid"]))
    os.kill(pid, signal.SIGTERM)
    for number, seconds in ((signal.SIGKILL, 90), (None, 30)):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _running(home) is None and not command_line(pid):
                _say("Lectern has stopped.")
                return 0
            time.sleep(0.05)
        if number:
            os.kill(pid, number)  # its watchdog ends what it leaves
    raise CannotRun(f"The runner {pid} does not end.")


def status(home: Path) -> int:
    """0 when it is ready, 3 when nothing runs, 1 otherwise."""
    runner = _running(home)
    if runner is None:
        _say("Lectern is not running here.")
        return 3
    port = int(str(runner["port"]))
    _say(f"The runner is {runner['state']}: process {runner['pid']}, http://127.0.0.1:{port}, files in {home}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        health = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        _say(f"The gateway does not answer: {error}")
        return 1
    finally:
        connection.close()
    for service, state in health.get("services", {}).items():
        _say(f"  {service:<15} {state.get('status')} {state.get('reason', '')}".rstrip())
    return 0 if answer.status == 200 else 1


def reset(home: Path) -> int:
    """Stop it and forget all data: private servers', or our databases on a server named by URL."""
    if _running(home):
        stop(home)
    if url := os.environ.get("LECTERN_POSTGRES_URL"):
        for package in SERVICES.values():
            run_sql(url, f"drop database if exists lectern_{package} with (force)")
        _say("Our five databases on the server of LECTERN_POSTGRES_URL are gone; its broker keeps its queues.")
    for name in ("postgres", "rabbitmq"):
        docker_servers.forget(home / name)
    for folder in (reachable_folder(home / "postgres", account()), *(home / name for name in DATA)):
        shutil.rmtree(folder, ignore_errors=True)
    for name in FILES:
        (home / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        home.rmdir()  # kept when there is more in it than ours
    _say("Forgotten.")
    return 0


def service_environment(given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Which of the LECTERN_ variables go to whom. Raises `CannotRun` for one that nobody here knows."""
    known = OURS | FOR_ALL | FOR_GATEWAY | FOR_ENROLLMENT | FOR_IMPORT_EXPORT
    if unknown := sorted(
        name
        for name in given
        if name.startswith("LECTERN_") and not name.startswith("LECTERN_TEST_") and name not in known
    ):
        raise CannotRun(f"Unknown variables: {', '.join(unknown)}. Known here: {', '.join(sorted(known))}.")
    parts = {"*": FOR_ALL, GATEWAY: FOR_GATEWAY, "enrollment": FOR_ENROLLMENT, "import-export": FOR_IMPORT_EXPORT}
    return {part: {name: given[name] for name in names if name in given} for part, names in parts.items()}


def gateway_port(given: Mapping[str, str]) -> int:
    """Raises `CannotRun`."""
    text = given.get("LECTERN_PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotRun(f"LECTERN_PORT must be a port number, not {text!r}.")
    return int(text)


def banner(system: System, environment: Mapping[str, Mapping[str, str]], seconds: float) -> str:
    """What to do with it now."""
    url, course = system.base_url, demo.sample_key()
    credentials = system.home / "credentials.json"
    with contextlib.suppress(ValueError):
        credentials = credentials.relative_to(Path.cwd())
    limits = ""
    if environment.get(GATEWAY, {}).get("LECTERN_RATE_LIMITS") == "off":
        limits = "\n  Rate limits  OFF (LECTERN_RATE_LIMITS=off)"
    names = [f"{one['username']} (global staff)" if one["is_staff"] else str(one["username"]) for one in demo.ACCOUNTS]
    accounts = ", ".join(names)
    robot = f"import json; c = json.load(open('{credentials}')); print(c['client_id'] + ':' + c['client_secret'])"
    return f"""
Lectern is ready after {seconds:.1f} s: {url} (also {url}/status and {url}/docs)

  PostgreSQL   {system.postgres.how}
  RabbitMQ     {system.broker.how}{limits}
  Accounts     {accounts}; password {system.demo_password}
  Robot        client id and secret in {credentials}
  Logs         {system.home / "logs"}

Three commands to try:
  curl -s {url}/api/courses/v1/courses/
  TOKEN=$(curl -s -u "$(python3 -c "{robot}")" -d grant_type=client_credentials -d token_type=jwt \\
    {url}/oauth2/access_token | python3 -c "import json, sys; print(json.load(sys.stdin)['access_token'])")
  curl -s -H "Authorization: JWT $TOKEN" -H "Content-Type: application/json" {url}/api/enrollment/v1/enrollment \\
    -d '{{"user": "learner", "course_details": {{"course_id": "{course}"}}}}'
"""


def _make_home(home: Path) -> None:
    if not home.exists():
        home.mkdir(parents=True)
        # as root, PostgreSQL runs as another user and must get at its own folder in here
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _lock(home: Path) -> int | None:
    """The file descriptor of the runner's lock, if nobody has it."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _only_runner(home: Path) -> Iterator[None]:
    descriptor = _lock(home)
    if descriptor is None:
        other = _running(home) or {}
        raise CannotRun(
            f"Lectern is running from {home} already: process {other.get('pid')}, port {other.get('port')}. "
            "`make stop` stops it."
        )
    try:
        yield
    finally:
        (home / "runner.json").unlink(missing_ok=True)
        os.close(descriptor)


def _running(home: Path) -> dict[str, object] | None:
    """What the runner of *home* says of itself; None when there is none."""
    if not (home / "lock").exists():
        return None
    descriptor = _lock(home)
    if descriptor is not None:
        os.close(descriptor)
        return None
    for _ in range(100):
        with contextlib.suppress(OSError, ValueError):
            known: dict[str, object] = json.loads((home / "runner.json").read_text())
            return known
        time.sleep(0.02)
    return None


def _remember(home: Path, state: Mapping[str, object]) -> None:
    draft = home / "runner.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state))
    draft.rename(home / "runner.json")


def _on_signals(stack: ExitStack) -> None:
    """The first signal ends the run, wherever it is; while things stop, further ones change nothing."""

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        _ignore_signals()
        raise Stopped

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is not signal.SIG_IGN:  # nohup
            signal.signal(name, leave)
    stack.callback(_ignore_signals)


def _ignore_signals() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)


def _stop_services(system: System) -> None:
    _say("Stopping ...")
    system.stop()


def _seed_once(system: System) -> None:
    done = system.home / "seeded"
    if done.exists():
        return
    _say("First run: making demo accounts and importing the sample course ...")
    try:
        demo.seed(system)
    except httpx.HTTPError as error:
        raise demo.SeedFailed(f"{type(error).__name__}: {error}") from error
    done.touch()


def _watch(system: System) -> None:
    """Until a signal comes: start again what ends by itself. Raises `ServiceFailed` when one will not stay up."""
    failures: dict[str, list[float]] = {}
    due: dict[str, float] = {}
    while True:
        now = time.monotonic()
        for label, child in system.ended():
            if label not in due:
                recent = [moment for moment in failures.get(label, []) if moment > now - CALM_SECONDS] + [now]
                failures[label] = recent
                _say(f"\n{label} ended with code {child.returncode}. The end of {child.log}:\n{child.log_tail()}")
                if len(recent) > MOST_RESTARTS:
                    raise ServiceFailed(f"{label} ended {len(recent)} times in {CALM_SECONDS:.0f} s; giving up.")
                due[label] = now + 2.0 ** (len(recent) - 1)
                _say(f"{label} is started again in {2 ** (len(recent) - 1)} s.")
            elif now >= due[label]:
                del due[label]
                system.again(label)
        for server in (system.postgres, system.broker):
            if not server.is_running:
                _say(f"\n{server.how} has ended; it is started again.")
                server.restart()
        time.sleep(0.2)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
