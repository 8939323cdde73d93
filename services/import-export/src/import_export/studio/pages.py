"""What a browser sees at Studio's addresses."""

from collections.abc import Sequence
from html import escape

from common.pages import render_page
from import_export.tasks.models import Job


def import_page(spelling: str, jobs: Sequence[Job], *, user: str | None) -> str:
    """How to import, and what was imported last."""
    name = escape(spelling)
    rows = "".join(
        f'<tr><td><a href="/api/v0/tasks/{job.id}">{escape(job.filename or "")}</a></td><td>{escape(job.state)}</td>'
        f"<td>{job.created_at:%Y-%m-%d %H:%M} UTC</td></tr>"
        for job in jobs
    )
    table = (
        "<table><caption>Last imports</caption><thead><tr><th scope='col'>File</th><th scope='col'>State</th>"
        f"<th scope='col'>Begun</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>Nothing was imported into this course yet.</p>"
    )
    how = f"<p>Send an archive (.tar.gz or .zip) to <code>/api/v0/import/{name}</code> with a token.</p>"
    return render_page(f"Import {spelling}", f"<h1>Import {name}</h1>{how}{table}", user=user)
