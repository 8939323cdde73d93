"""A problem as a learner may see it: the prompt and inputs that do nothing.

Only what is known to be harmless is let through. An element this module does not know is left out whole, since it may
say what is right; so are answers, solutions, hints and scripts.
"""

import ast
import contextlib
import re
from html import escape
from typing import TYPE_CHECKING, cast

from content.rendering.html import sanitize_with_controls
from content.rendering.links import Links

if TYPE_CHECKING:
    from lxml.etree import _Element

# Plain HTML, kept with what is inside.
_HTML = frozenset(
    {
        "a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd",
        "del", "details", "div", "dl", "dt", "em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6",
        "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strike",
        "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
        "audio", "video", "source", "track",
    }
)  # fmt: skip
_VOID = frozenset({"br", "hr", "img", "col", "source", "track"})
# Stand around a question and say nothing themselves.
_TRANSPARENT = frozenset({"problem", "text", "label", "description", "questiontext", "startouttext", "endouttext"})
_TEXT_INPUTS = frozenset(
    {
        "textline", "formulaequationinput", "numericalinput", "numtolerance_input", "decoy_input", "textbox",
        "crystallography", "chemicalequationinput", "vsepr_input", "filesubmission",
    }
)  # fmt: skip
_CHOICE_GROUPS = {
    "choicegroup": "radio",
    "radiogroup": "radio",
    "checkboxgroup": "checkbox",
    "radiotextgroup": "radio",
    "checkboxtextgroup": "checkbox",
}
_MATH = re.compile(r"\[/?mathjax(?:inline)?\]")


def render_problem(data: str, links: Links) -> str:
    """The fragment for *data*, the problem's XML; text that is no XML is not shown at all."""
    from lxml import etree  # noqa: PLC0415 - 20 MB that a process without problems to show does not need

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
                             remove_pis=True, recover=True, huge_tree=False)  # fmt: skip
    root: _Element | None = None
    with contextlib.suppress(etree.XMLSyntaxError):
        # a recovering parser may come back with nothing at all, which its types do not say
        root = cast("_Element | None", etree.fromstring(data.encode(), parser))
    if root is None:
        return '<p class="muted">This problem cannot be shown.</p>'
    writer = _Writer()
    return sanitize_with_controls(links.rewrite(writer.element(root)), links.relative)


class _Writer:
    """Writes one problem; inputs are numbered, so that each choice group is a group of its own."""

    def __init__(self) -> None:
        self._count = 0

    def element(self, element: "_Element") -> str:
        name: object = element.tag
        if not isinstance(name, str):  # an unresolved entity's is a function
            return ""
        tag = name.lower()
        if tag in _HTML:
            return "" if _is_hidden(element) else self._html(tag, element)
        if tag == "label":
            return f"<p><strong>{self._inside(element)}</strong></p>"
        if tag == "description":
            return f'<p class="muted">{self._inside(element)}</p>'
        if tag in _TRANSPARENT:
            return self._inside(element)
        if tag.endswith("response"):
            return f"<fieldset>{self._inside(element)}</fieldset>"
        if tag in _CHOICE_GROUPS:
            return self._choices(element, _CHOICE_GROUPS[tag])
        if tag == "optioninput":
            return self._options(element)
        if tag in _TEXT_INPUTS:
            return '<input type="text" aria-label="Answer" disabled>'
        if tag == "imageinput" and element.get("src"):
            label = element.get("label") or "Mark a place in this image"
            return f'<img src="{escape(element.get("src", ""))}" alt="{escape(label)}">'
        if tag.endswith("input"):
            return '<p class="muted">This question is answered with a tool that is not part of this page.</p>'
        return ""

    def _inside(self, element: "_Element") -> str:
        parts = [escape(element.text or "")]
        for child in element:
            parts.append(self.element(child))
            parts.append(escape(child.tail or ""))
        return _MATH.sub("", "".join(parts))

    def _html(self, tag: str, element: "_Element") -> str:
        attributes = "".join(
            f' {name}="{escape(value)}"'
            for name, value in element.attrib.items()
            if isinstance(name, str) and isinstance(value, str) and name.isidentifier()
        )
        if tag in _VOID:
            return f"<{tag}{attributes}>"
        return f"<{tag}{attributes}>{self._inside(element)}</{tag}>"

    def _choices(self, element: "_Element", kind: str) -> str:
        self._count += 1
        lines = [
            f'<li><label><input type="{kind}" name="q{self._count}" disabled> {self._choice(choice)}</label></li>'
            for choice in element
            if choice.tag == "choice"
        ]
        label = element.get("label")
        return (
            f"<p><strong>{escape(label)}</strong></p>" if label else ""
        ) + f'<ul class="choices">{"".join(lines)}</ul>'

    def _choice(self, choice: "_Element") -> str:
        return self._inside(choice).strip()

    def _options(self, element: "_Element") -> str:
        named = [self._inside(option).strip() for option in element if option.tag == "option"]
        if not named:
            named = [escape(option) for option in _option_list(element.get("options", ""))]
        lines = "".join(f"<option>{name}</option>" for name in named)
        return f'<select aria-label="Answer" disabled><option></option>{lines}</select>'


def _is_hidden(element: "_Element") -> bool:
    """What the author hid, or marked as the solution, without saying so in the problem's own language."""
    style = (element.get("style") or "").replace(" ", "").lower()
    named = f"{element.get('class') or ''} {element.get('id') or ''}".lower()
    return (
        element.get("hidden") is not None
        or "display:none" in style
        or "visibility:hidden" in style
        or "solution" in named
    )


def _option_list(text: str) -> list[str]:
    """`('yes','no')`, as authors wrote it before options were elements."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return [part.strip(" '\"") for part in text.strip("() ").split(",") if part.strip(" '\"")]
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, tuple | list) else []
