"""What a browser sees where a course can be exported."""

from html import escape

from common.pages import render_page


def export_page(spelling: str, *, user: str | None) -> str:
    """A link for each thing an archive can be of."""
    name = escape(spelling)
    links = "".join(
        f'<li><a href="/api/v0/export/{name}?{query}_accept=application/x-tgz">{text}</a></li>'
        for query, text in (
            ("", "What is published, with the drafts beside it"),
            ("branch=published&amp;", "What is published"),
            ("branch=draft&amp;", "The draft"),
        )
    )
    what = "Each link builds an archive (.tar.gz) of the course as it is now."
    body = f"<h1>Export {name}</h1><p>{what}</p><ul>{links}</ul>"
    return render_page(f"Export {spelling}", body, user=user)
