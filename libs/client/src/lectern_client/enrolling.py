"""`lectern enroll`: the learners of a CSV file."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from lectern_client import output
from lectern_client.client import Client
from lectern_client.errors import Refused
from lectern_client.models import Job
from lectern_client.rows import is_active, read_rows
from lectern_client.running import FAILED, OK, AsJson, Patience, client, failures

Rows = Annotated[
    Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, readable=True, help="UTF-8, with a header.")
]


def enroll(
    file: Rows,
    course: Annotated[str | None, typer.Option("--course", help="For rows that name no course_id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of the rows.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Read the file here, and send nothing.")] = False,
    result: Annotated[
        Path | None, typer.Option("--result", metavar="FILE", dir_okay=False, help="Write each row's outcome, as CSV.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the job.")] = True,
    one_by_one: Annotated[
        bool, typer.Option("--one-by-one", help="A request for each row instead of a job: a few rows, no job API.")
    ] = False,
    timeout: Patience = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Enroll the learners of a CSV file.

    Columns: username or email; course_id (or --course); mode, is_active, cohort. The file is checked here first, then
    sent as one job without a rate limit, which takes global staff. Exit code 1: some row was rejected.
    """
    with failures():
        rows = list(read_rows(file, course))
        for row in rows:
            is_active(row)
        if check:
            output.say(
                f"{file}: {len(rows)} rows, {len({row['course_id'] for row in rows})} courses; nothing was sent."
            )
            raise typer.Exit(OK)
        with client() as lectern:
            if one_by_one:
                _enroll_each(lectern, rows, as_json=as_json)
                return
            with output.meter(counts_bytes=False) as running:
                job = lectern.start_enrollment_job(rows, dry_run=dry_run)
                if wait:
                    job = lectern.wait_for_job(job, timeout=timeout, on_change=running.show_job)
            if result is not None and job.result:
                result.write_bytes(lectern.job_result(job))
            _finish(job, as_json=as_json)


def _finish(job: Job, *, as_json: bool) -> None:
    if as_json:
        output.print_json(job.model_dump(mode="json"))
    elif not job.has_ended:
        typer.echo(job.job_id)
    else:
        counted = ", ".join(f"{count} {name}" for name, count in job.outcomes.items() if count)
        reason = f": {job.error.get('message')}" if job.error else ""
        output.say(f"Job {job.job_id}: {job.state}{reason}" + (f" ({counted})" if counted else "") + _place_of(job))
    raise typer.Exit(FAILED if job.has_ended and not job.all_is_well else OK)


def _place_of(job: Job) -> str:
    return f"; row by row: {job.result}" if job.result else ""


def _enroll_each(lectern: Client, rows: list[dict[str, str]], *, as_json: bool) -> None:
    outcomes: list[dict[str, object]] = []
    for row in rows:
        outcome: dict[str, object] = {**row}
        try:
            if "username" not in row:
                raise Refused(400, "no_username", "One by one, a row needs a username.")
            made = lectern.enroll(row["username"], row["course_id"], mode=row.get("mode"), is_active=is_active(row))
            outcome |= {"outcome": "enrolled" if made.is_active else "unenrolled"}
        except Refused as refused:
            outcome |= {"outcome": "rejected", "code": refused.code, "message": refused.message}
        outcomes.append(outcome)
        if outcome["outcome"] == "rejected" and not as_json:
            who = row.get("username") or row.get("email") or row.get("external_key")
            output.say(f"{who}, {row['course_id']}: rejected: {outcome['message']}")
    counted = Counter(str(outcome["outcome"]) for outcome in outcomes)
    if as_json:
        output.print_json(outcomes)
    else:
        output.say(", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "No rows.")
    raise typer.Exit(FAILED if counted["rejected"] else OK)
