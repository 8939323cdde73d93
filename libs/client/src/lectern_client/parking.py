"""`lectern parked`: messages that no service could handle."""

from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from lectern_client import output
from lectern_client.running import AsJson, client, failures

app = typer.Typer(no_args_is_help=True, help="Look at parked messages, hand them back, or give them up (global staff).")


class Service(StrEnum):
    """A service with a parking lot."""

    GATEWAY = "gateway"
    CATALOG = "course-catalog"
    CONTENT = "content"
    ENROLLMENT = "enrollment"
    IMPORT_EXPORT = "import-export"


Where = Annotated[Service, typer.Argument(metavar="SERVICE", help=", ".join(Service))]
Which = Annotated[str, typer.Argument(metavar="ID")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Kept in the audit.")]


@app.command("list")
def list_parked(
    service: Where,
    state: Annotated[str, typer.Option(help="parked, replayed or discarded.")] = "parked",
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List a service's parked messages, oldest first."""
    with failures(), client() as lectern:
        found = list(islice(lectern.parked(service.value, state=state), limit))
    if as_json:
        output.print_json([message.model_dump(mode="json") for message in found])
    else:
        output.print_parked(found)


@app.command()
def show(service: Where, message: Which) -> None:
    """Show a parked message with its body and what was done with it, as JSON."""
    with failures(), client() as lectern:
        output.print_json(lectern.parked_message(service.value, message))


@app.command()
def replay(service: Where, message: Which, reason: Reason = "") -> None:
    """Hand a parked message to its queue again."""
    with failures(), client() as lectern:
        done = lectern.decide_parked(service.value, message, "replay", reason=reason)
        output.say(f"{done.id}: {done.state}")


@app.command()
def discard(service: Where, message: Which, reason: Reason = "") -> None:
    """Give a parked message up."""
    with failures(), client() as lectern:
        done = lectern.decide_parked(service.value, message, "discard", reason=reason)
        output.say(f"{done.id}: {done.state}")
