"""Author's HTML made harmless: what can run, submit, or lie over the page is taken out."""

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import nh3

_TAGS = nh3.ALLOWED_TAGS | {"audio", "video", "source", "track", "figure", "figcaption", "section", "center", "font"}
_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()},
    "*": {"class", "id", "lang", "dir", "title", "style", "align", "role", "aria-label", "aria-hidden"},
    "audio": {"src", "controls", "loop", "preload"},
    "video": {"src", "controls", "poster", "preload", "width", "height"},
    "source": {"src", "type"},
    "track": {"src", "kind", "srclang", "label"},
    "img": {"src", "alt", "width", "height", "align"},
    "font": {"color", "size", "face"},
}
# No positions and no sizes that could cover the page's own controls.
_STYLES = {
    "color", "background-color", "font-weight", "font-style", "font-size", "text-align", "text-decoration", "width",
    "max-width", "float", "border", "border-collapse", "padding", "margin", "margin-left", "margin-right",
    "vertical-align", "list-style-type", "clear",
}  # fmt: skip
_CONTROLS = {"input", "select", "option", "textarea", "fieldset", "legend", "label"}
_CONTROL_ATTRIBUTES = {
    "input": {"type", "disabled", "name", "size"},
    "select": {"disabled", "name"},
    "textarea": {"disabled", "rows", "cols"},
}


# What is embedded does not run here; a reader can still go there. The outcome is sanitised like the rest.
_FRAME = re.compile(
    r"<iframe\b[^>]*?\bsrc\s*=\s*[\"']([^\"'<>]+)[\"'][^>]*>(?:.*?</iframe>)?", re.IGNORECASE | re.DOTALL
)
_RELATIVE = re.compile(r"(?![/#?]|[A-Za-z][\w+.-]*:)")
Follow = Callable[[str], str | None]


def _nowhere(link: str) -> None:
    """Relative links lead nowhere unless somebody knows where."""


def sanitize(html: str, follow: Follow = _nowhere) -> str:
    """A fragment that may stand in one of our pages. *follow* says where relative links lead."""
    return _clean(_FRAME.sub(r'<p><a href="\1">Open the embedded page</a></p>', html), _TAGS, _ATTRIBUTES, follow)


def sanitize_with_controls(html: str, follow: Follow = _nowhere) -> str:
    """The same, for problems: disabled inputs stay."""
    return _clean(html, _TAGS | _CONTROLS, _ATTRIBUTES | _CONTROL_ATTRIBUTES, follow)


def _clean(html: str, tags: AbstractSet[str], attributes: dict[str, set[str]], follow: Follow) -> str:
    def attribute(tag: str, name: str, value: str) -> str | None:
        """A data address anywhere but in a picture would be a page of the author's under no policy of ours."""
        if value.lstrip().lower().startswith("data:") and (tag, name) != ("img", "src"):
            return None
        if (tag, name) == ("a", "href") and _RELATIVE.match(value.strip()):
            return follow(value.strip())
        return value

    return nh3.clean(
        html,
        tags=set(tags),
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "embed"},
        attributes=attributes,
        attribute_filter=attribute,
        filter_style_properties=_STYLES,
        url_schemes={"http", "https", "mailto", "tel", "data"},
        link_rel="noopener noreferrer",
    )
