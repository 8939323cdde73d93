"""What every command shares: arguments, exit codes, a client, and errors that become sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lectern_client import output
from lectern_client.client import Client
from lectern_client.config import NotLoggedIn, load_login
from lectern_client.errors import LecternError, NotAuthenticated, Refused, TaskFailed, TaskNotFinished, Unreachable
from lectern_client.models import Report
from lectern_client.validation import NotInstalled

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


class Links(StrEnum):
    """What to do with links in an archive that cannot be followed."""

    REFUSE = "refuse"
    SKIP = "skip"


class Branch(StrEnum):
    """A branch of a course."""

    PUBLISHED = "published"
    DRAFT = "draft"


class FailOn(StrEnum):
    """The least severity of an entry that makes a command fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"

    def is_met_by(self, report: Report | None) -> bool:
        """Does the report hold an entry as grave as this? Entries beyond the listed ones count too."""
        ranks = ["info", "warning", "error"]
        if report is None or self is FailOn.NEVER:
            return False
        grave = ranks[ranks.index(self.value) :]
        counted = (report.counts.get(f"{severity}s") for severity in grave)
        return any(entry.severity in grave for entry in report.entries) or any(
            isinstance(count, int) and count > 0 for count in counted
        )


Course = Annotated[str, typer.Argument(metavar="COURSE", help="The course's key: course-v1:Org+Course+Run.")]
Archive = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, readable=True, help="A .tar.gz, .tgz or .zip, or a folder.")
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
