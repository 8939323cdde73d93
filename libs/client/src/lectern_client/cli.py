"""`lectern`: import, export and validate courses from a shell or a CI job."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from lectern_client import output
from lectern_client.client import Client
from lectern_client.config import Login, NotLoggedIn, config_file, forget_login, load_login, save_login
from lectern_client.errors import LecternError, NotAuthenticated, Refused, TaskFailed, TaskNotFinished, Unreachable
from lectern_client.models import Report, Task
from lectern_client.validation import NotInstalled, validate_archive

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3

app = typer.Typer(
    name="lectern",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Push course archives to a Lectern, and pull them.",
    epilog=(
        "Exit codes: 0 all is well; 1 the task failed, or the report has errors; 2 wrong usage or credentials; "
        "3 the server cannot be reached."
    ),
)


class Links(StrEnum):
    """What to do with links in an archive that cannot be followed."""

    REFUSE = "refuse"
    SKIP = "skip"


class Branch(StrEnum):
    """A branch of a course."""

    PUBLISHED = "published"
    DRAFT = "draft"


Course = Annotated[str, typer.Argument(metavar="COURSE", help="The course's key: course-v1:Org+Course+Run.")]
Archive = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .tar.gz, .tgz or .zip.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print remarks too, beside errors and warnings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Patience = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for the end.")]


@contextmanager
def failures() -> Iterator[None]:
    """Errors become a sentence on stderr and an exit code."""
    try:
        yield
    except (NotLoggedIn, NotInstalled, NotAuthenticated) as error:
        output.say(f"lectern: {error}")
        raise typer.Exit(USAGE) from error
    except Unreachable as error:
        output.say(f"lectern: {error}")
        raise typer.Exit(UNREACHABLE) from error
    except Refused as error:
        output.say(f"lectern: {error}")
        raise typer.Exit(USAGE if error.status in (403, 404) else FAILED) from error
    except (TaskFailed, TaskNotFinished, LecternError, OSError) as error:
        output.say(f"lectern: {error}")
        raise typer.Exit(FAILED) from error


@contextmanager
def client() -> Iterator[Client]:
    login = load_login()
    with Client(login.base_url, login.client_id, login.client_secret) as opened:
        yield opened


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
    publish: Annotated[bool, typer.Option("--publish/--draft-only", help="Publish what is imported.")] = True,
    repo: Annotated[str | None, typer.Option("--repo", help="Where the archive comes from.")] = None,
    sha: Annotated[str | None, typer.Option("--sha", help="The commit it was made of.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="A word on this version.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    allow_errors: Annotated[
        bool, typer.Option("--allow-errors", help="Exit 0 in spite of errors in the report.")
    ] = False,
    timeout: Patience = 3600.0,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Replace a course by an archive, whole or not at all; the course is created where you may.

    In GitHub Actions and GitLab CI, --repo and --sha are taken from the environment.
    """
    with failures(), client() as lectern:
        found_repo, found_sha = provenance()
        with output.meter(counts_bytes=True) as uploading:
            task = lectern.import_course(
                file,
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
        _finish(task, _report(lectern, task), as_json=as_json, verbose=verbose, allow_errors=allow_errors)


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
        _finish(task, _report(lectern, task), as_json=as_json, verbose=True, allow_errors=False)


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
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Read an archive here, without a server, and report what an import would.

    Needs the reader: pip install 'lectern-client[validate]'.
    """
    with failures():
        refusal, found = validate_archive(file, _links(links), course)
    if as_json:
        output.print_json({"refused": refusal, "report": found.model_dump(mode="json")})
    else:
        output.print_report(found, verbose=verbose)
        if refusal:
            where = f" ({refusal['member']})" if refusal.get("member") else ""
            output.say(f"{file}: refused: {refusal['message']}{where} [{refusal['code']}]")
        else:
            output.say(f"{file}: {_count(found)}")
    raise typer.Exit(FAILED if refusal or found.errors else OK)


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


def _finish(task: Task, found: Report | None, *, as_json: bool, verbose: bool, allow_errors: bool) -> None:
    """Print, and leave with the code that a CI job decides by."""
    if as_json:
        shown = found.model_dump(mode="json") if found else None
        output.print_json({"task": task.model_dump(mode="json"), "report": shown})
    else:
        if found:
            output.print_report(found, verbose=verbose)
        output.say(output.summarise(task, found))
    failed = task.has_ended and not task.has_succeeded
    erroneous = found is not None and bool(found.errors) and not allow_errors
    raise typer.Exit(FAILED if failed or erroneous else OK)


def main() -> None:
    """The console script."""
    run: Callable[[], object] = app
    run()
