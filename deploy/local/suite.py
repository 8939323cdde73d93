"""`make test` and `make torture`: servers first, both at once, then pytest in two workers, then what was missing."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree as ET

from common.testing.docker_servers import engine_answers
from common.testing.keeper import temporary_folder
from common.testing.plugin import AMQP_URLS, ENDS
from common.testing.postgres_server import PostgresFailed
from common.testing.rabbitmq_server import RabbitmqFailed
from common.testing.servers import ExtensionsMissing, Given, ServersMissing, ensure_available, postgres, rabbitmq

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = "LECTERN_TEST_POSTGRES_URL"
AMQP = "LECTERN_TEST_AMQP_URL"
OPTIONAL = {
    "Redis": ("redis-server",),
    "nginx": ("nginx",),
    "Chromium": ("chromium", "chromium-browser", "google-chrome"),
}
TORTURE_SECONDS = 3600
WORKERS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torture", action="store_true")
    options, extra = parser.parse_known_args()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _leave)
    results = ROOT / ".lectern" / ("torture.xml" if options.torture else "tests.xml")
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    try:
        with ExitStack() as stack:
            workers = 1 if options.torture or not whole(extra) else WORKERS
            environment = _servers(stack, workers)
            code = subprocess.run(
                command(options.torture, results, extra, workers=len(environment[AMQP_URLS].split())),
                env=environment,
                cwd=ROOT,
                check=False,
            ).returncode
    except (ServersMissing, ExtensionsMissing, PostgresFailed, RabbitmqFailed) as error:
        print(error, file=sys.stderr)
        return 1
    if options.torture:
        write_json(results, ROOT / ".lectern/torture.json")
    print(closing_line(skips(results), missing()))
    return code


def whole(extra: list[str]) -> bool:
    """Is everything to be run? A few tests gain nothing from workers, and their output reads better without."""
    return all(word.startswith("-") and not word.startswith(("-n", "-k", "--pdb")) for word in extra)


def command(torture: bool, results: Path, extra: list[str], *, workers: int = 1) -> list[str]:
    """The call of pytest."""
    chosen = "torture" if torture else "not torture"
    if not engine_answers():
        chosen += " and not docker"
    limits = ["--timeout", "1800", "--session-timeout", str(TORTURE_SECONDS)] if torture else []
    if workers > 1:
        # as ordered by our plugin: xdist's own order, by number of tests, leaves the longest group for the end
        limits = [*limits, "-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder"]
    given = any(not word.startswith("-") for word in extra)
    places = [] if given else [name for name in ("libs", "services", "deploy", "tests") if (ROOT / name).is_dir()]
    return [sys.executable, "-m", "pytest", "-m", chosen, f"--junitxml={results}", *limits, *places, *extra]


def missing() -> list[str]:
    return [title for title, programs in OPTIONAL.items() if not any(shutil.which(name) for name in programs)]


def skips(results: Path) -> list[str]:
    """The reason of every skipped test."""
    if not results.exists():
        return []
    return [skip.get("message") or "" for skip in ET.parse(results).getroot().iter("skipped")]  # noqa: S314 - pytest's


def closing_line(reasons: list[str], absent: list[str]) -> str:
    if not absent:
        return f"Optional servers: {', '.join(OPTIONAL)} all found; tests skipped for other reasons: {len(reasons)}."
    programs = {title: [title.lower(), *OPTIONAL[title]] for title in absent}
    counts = {
        title: sum(any(word in reason.lower() for word in words) for reason in reasons)
        for title, words in programs.items()
    }
    parts = ", ".join(f"{title} ({count} tests skipped)" for title, count in counts.items())
    return f"Optional servers missing: {parts}."


def write_json(results: Path, target: Path) -> None:
    """Each torture test with its outcome and time, for whoever collects figures."""
    rows = []
    if results.exists():
        for case in ET.parse(results).getroot().iter("testcase"):  # noqa: S314 - pytest's
            outcome = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
            name = f"{case.get('classname')}::{case.get('name')}"
            rows.append({"name": name, "outcome": outcome, "seconds": float(case.get("time") or 0)})
    target.write_text(json.dumps(rows, indent=2) + "\n")


def _servers(stack: ExitStack, workers: int) -> dict[str, str]:
    """pytest's environment, with the URLs of both servers and a virtual host for each worker.

    A broker that came by URL has just the one virtual host that the URL names: then there is one worker.
    """
    began = time.monotonic()
    ensure_available(postgres_variable=POSTGRES, amqp_variable=AMQP)
    folder = stack.enter_context(temporary_folder("lectern-test-"))
    broker = stack.enter_context(rabbitmq(folder / "rabbitmq", variable=AMQP, wait=False))
    database = stack.enter_context(postgres(folder / "postgres", variable=POSTGRES, fsync=False))
    broker.wait_ready()
    print(
        f"PostgreSQL: {database.how}\nRabbitMQ:   {broker.how}\nready after {time.monotonic() - began:.1f} s",
        flush=True,
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")}
    hosts = [broker.url]
    if workers > 1 and not isinstance(broker, Given):
        hosts = [broker.add_vhost(f"worker-{number}") for number in range(workers)]
    ends = {} if isinstance(database, Given) else {ENDS: "1"}
    return kept | ends | {POSTGRES: database.url, AMQP: broker.url, AMQP_URLS: " ".join(hosts)}


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
