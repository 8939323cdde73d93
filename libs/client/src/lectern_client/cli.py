"""`lectern`: import, export and validate courses from a shell or a CI job."""

import os
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from lectern_client import enrolling, output, parking
from lectern_client.client import Client
from lectern_client.config import Login, config_file, forget_login, save_login
from lectern_client.models import Report, Task
from lectern_client.packing import packed
from lectern_client.running import (
    FAILED,
    OK,
    Archive,
    AsJson,
    Branch,
    Course,
    FailOn,
    Links,
    Patience,
    Verbose,
    client,
    failures,
)
from lectern_client.validation import validate_archive

app = typer.Typer(
    name="lectern",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Push course archives to a Lectern, and pull them.",
    epilog=(
        "Exit codes: 0 all is well; 1 the task failed, or the report has entries as grave as --fail-on; "
        "2 wrong usage or credentials, no such course or no right to it; 3 the server cannot be reached."
    ),
)
FailOnOption = Annotated[FailOn, typer.Option("--fail-on", help="The least severity that gives exit code 1.")]

app.command("enroll")(enrolling.enroll)
app.add_typer(parking.app, name="parked")


@app.command()
def login(
    url: Annotated[str, typer.Option("--url", envvar="LECTERN_URL", prompt="URL of the server")],
    client_id: Annotated[str, typer.Option("--client-id", envvar="LECTERN_CLIENT_ID", prompt="Client id")],
    client_secret: Annotated[
        str, typer.Option("--client-secret", envvar="LECTERN_CLIENT_SECRET", prompt="Client secret", hide_input=True)
    ],
) -> None:
    """Check an OAuth2 client's credentials and keep them in a file only you can read.

    A CI job needs no login: it sets LECTERN_URL, LECTERN_CLIENT_ID and LECTERN_CLIENT_SECRET.
    """
    with failures():
        with Client(url, client_id, client_secret) as opened:
            opened.authenticate()
        path = save_login(Login(url.rstrip("/"), client_id, client_secret))
        output.say(f"Logged in to {url}; credentials are in {path}.")


@app.command()
def logout() -> None:
    """Forget the stored credentials."""
    path = config_file()
    output.say(f"Removed {path}." if forget_login() else "No credentials were stored.")


@app.command("import")
def import_archive(
    file: Archive,
    course: Course,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop before anything changes; say what would.")] = False,
    links: Annotated[Links, typer.Option(help="A link that leaves the course, dangles or loops.")] = Links.REFUSE,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the archive when its report has errors.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", " /--draft-only", help="Publish what is imported.")
    ] = True,
    repo: Annotated[str | None, typer.Option("--repo", help="Where the archive comes from.")] = None,
    sha: Annotated[str | None, typer.Option("--sha", help="The commit it was made of.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="A word on this version.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    fail_on: FailOnOption = FailOn.ERROR,
    allow_errors: Annotated[bool, typer.Option("--allow-errors", help="The same as --fail-on never.")] = False,
    timeout: Patience = 3600.0,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Replace a course by an archive, whole or not at all; the course is created where you may.

    A folder is packed first, as it lies there (needs lectern-client[validate]). In GitHub Actions and GitLab CI, --repo
    and --sha are taken from the environment.
    """
    with failures(), client() as lectern:
        found_repo, found_sha = provenance()
        with packed(file) as archive, output.meter(counts_bytes=True) as uploading:
            task = lectern.import_course(
                archive,
                course,
                dry_run=dry_run,
                links=_links(links),
                strict=strict,
                publish=publish,
                source_repo=repo or found_repo,
                source_sha=sha or found_sha,
                message=message,
                on_progress=uploading.bytes_done("Uploading"),
            )
        if not wait:
            _print_started(task, as_json=as_json)
            return
        with output.meter(counts_bytes=False) as running:
            task = lectern.wait(task, timeout=timeout, on_change=running.show_task)
        fail_on = FailOn.NEVER if allow_errors else fail_on
        _finish(task, _report(lectern, task), as_json=as_json, verbose=verbose, fail_on=fail_on)


@app.command("export")
def export_archive(
    course: Course,
    to: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Where to write it.")],
    branch: Annotated[
        Branch | None, typer.Option(help="One branch; default: published, with drafts beside it.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Any version, by its 24 hexadecimal digits.")] = None,
    etag: Annotated[str | None, typer.Option(help="Download only when the course is no longer this version.")] = None,
    timeout: Patience = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Download a course as an archive: the same version is the same bytes, always."""
    with failures(), client() as lectern, output.meter(counts_bytes=True) as downloading:
        done = lectern.export_course(
            course,
            to,
            branch="published" if branch is Branch.PUBLISHED else "draft" if branch else None,
            version=version,
            etag=etag,
            timeout=timeout,
            on_progress=downloading.bytes_done("Downloading"),
        )
    if as_json:
        output.print_json(done.model_dump(mode="json"))
    elif done.path is None:
        output.say(f"{course} is still version {etag}; nothing was downloaded.")
    else:
        output.say(f"{done.path}: {done.size} bytes, version {done.etag}")


@app.command()
def tasks(
    course: Annotated[str | None, typer.Argument(help="Of this course; default: your own.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List imports and exports, newest first."""
    with failures(), client() as lectern:
        found = list(islice(lectern.tasks(course), limit))
    if as_json:
        output.print_json([task.model_dump(mode="json") for task in found])
    else:
        output.print_tasks(found)


@app.command()
def report(task_id: Annotated[str, typer.Argument(metavar="TASK")], as_json: AsJson = False) -> None:
    """Show how a task stands, with the report of an import."""
    with failures(), client() as lectern:
        task = lectern.task(task_id)
        _finish(task, _report(lectern, task), as_json=as_json, verbose=True, fail_on=FailOn.ERROR)


@app.command()
def cancel(task_id: Annotated[str, typer.Argument(metavar="TASK")]) -> None:
    """Stop a task that can still be stopped."""
    with failures(), client() as lectern:
        output.say(output.summarise(lectern.cancel(task_id), None))


@app.command()
def validate(
    file: Archive,
    course: Annotated[str | None, typer.Option("--course", help="Read it as this course or library.")] = None,
    links: Annotated[Links, typer.Option(help="A link that leaves the course, dangles or loops.")] = Links.REFUSE,
    fail_on: FailOnOption = FailOn.ERROR,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Read an archive or a folder here, without a server, and report what an import would.

    Needs the reader: pip install 'lectern-client[validate]'.
    """
    with failures(), packed(file) as archive:
        refusal, found = validate_archive(archive, _links(links), course)
    if as_json:
        output.print_json({"refused": refusal, "report": found.model_dump(mode="json")})
    else:
        output.print_report(found, verbose=verbose)
        if refusal:
            where = f" ({refusal['member']})" if refusal.get("member") else ""
            output.say(f"{file}: refused: {refusal['message']}{where} [{refusal['code']}]")
        else:
            output.say(f"{file}: {_count(found)}")
    raise typer.Exit(FAILED if refusal or fail_on.is_met_by(found) else OK)


def provenance() -> tuple[str | None, str | None]:
    """Repository and commit as GitHub Actions and GitLab CI name them."""
    here = os.environ.get
    if here("GITHUB_SHA"):
        return f"{here('GITHUB_SERVER_URL', 'https://github.com')}/{here('GITHUB_REPOSITORY', '')}", here("GITHUB_SHA")
    return here("CI_PROJECT_URL"), here("CI_COMMIT_SHA")


def _links(links: Links) -> Literal["refuse", "skip"]:
    return "skip" if links is Links.SKIP else "refuse"


def _count(report: Report) -> str:
    counted = [f"{value} {name.replace('_', ' ')}" for name, value in report.counts.items() if isinstance(value, int)]
    return ", ".join(counted) or f"{len(report.entries)} entries"


def _report(lectern: Client, task: Task) -> Report | None:
    return lectern.report(task) if task.report_url and task.has_ended and task.state != "Canceled" else None


def _print_started(task: Task, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"task": task.model_dump(mode="json"), "report": None})
    else:
        sys.stdout.write(f"{task.task_id}\n")


def _finish(task: Task, found: Report | None, *, as_json: bool, verbose: bool, fail_on: FailOn) -> None:
    """Print, and leave with the code that a CI job decides by."""
    if as_json:
        shown = found.model_dump(mode="json") if found else None
        output.print_json({"task": task.model_dump(mode="json"), "report": shown})
    else:
        if found:
            output.print_report(found, verbose=verbose)
        output.say(output.summarise(task, found))
    failed = task.has_ended and not task.has_succeeded
    raise typer.Exit(FAILED if failed or fail_on.is_met_by(found) else OK)


def main() -> None:
    """The console script."""
    run: Callable[[], object] = app
    run()
