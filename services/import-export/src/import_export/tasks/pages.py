"""A task as a page for people."""

from html import escape

from common.pages import render_page
from import_export.tasks.schemas import TaskOut

_ENDED = frozenset({"Succeeded", "Failed", "Canceled"})


def task_page(task: TaskOut, *, user: str | None) -> str:
    title = f"{task.kind.capitalize()} of {task.course_id}"
    return render_page(title, f"<h1>{escape(title)}</h1>{task_summary(task)}", user=user)


def task_summary(task: TaskOut) -> str:
    """State, progress, what went wrong and what was counted."""
    parts = [
        f"<p><strong>{escape(task.state)}</strong>"
        + (f", {escape(task.stage)}" if task.stage else "")
        + (" (the catalogue has yet to show it)" if task.catalogue == "pending" else "")
        + "</p>"
    ]
    if task.state not in _ENDED:
        label = f"{task.percent} %"
        parts.append(
            f'<p><progress max="100" value="{task.percent}" aria-label="Progress">{label}</progress> {label}</p>'
        )
    if task.error:
        where = f" (<code>{escape(task.error.member)}</code>)" if task.error.member else ""
        parts.append(
            f"<p>{escape(task.error.message)}{where} <small>Code <code>{escape(task.error.code)}</code>.</small></p>"
        )
    if task.counts:
        rows = "".join(
            f'<tr><th scope="row">{escape(name.replace("_", " "))}</th><td>{escape(str(value))}</td></tr>'
            for name, value in task.counts.items()
        )
        parts.append(f"<table><caption>Counted</caption><tbody>{rows}</tbody></table>")
    if task.report_url:
        parts.append(f'<p><a href="{escape(task.report_url)}">Report</a></p>')
    if task.download_url and task.state == "Succeeded":
        joint = "&" if "?" in task.download_url else "?"
        url = escape(f"{task.download_url}{joint}_accept=application/x-tgz")
        parts.append(f'<p><a href="{url}">Download the archive</a></p>')
    return "".join(parts)
