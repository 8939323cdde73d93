"""A definition as a page, for people."""

from html import escape

import orjson

from common.pages import render_page
from content.authoring.definitions import FoundDefinition


def definition_page(found: FoundDefinition, *, user: str | None) -> str:
    """Every field as it is stored: what is shared has no course whose links and settings it could be shown with."""
    title = f"Content of a block of type {found.type}"
    fields = "".join(
        f'<section><h2>{escape(name)}</h2><pre tabindex="0">{escape(_print(value))}</pre></section>'
        for name, value in sorted(found.fields.items())
    )
    body = (
        f'<h1>{escape(title)}</h1><p class="muted"><code>{escape(str(found.key))}</code></p>'
        f'<p class="note">All blocks with this content share it. It never changes: a block that is edited gets other '
        f"content.</p>{fields}"
    )
    return render_page(title, body, user=user)


def _print(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
