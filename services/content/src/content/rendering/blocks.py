"""One block, and what is below it, as a fragment of a page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html import escape

from content.rendering.html import sanitize
from content.rendering.links import Links
from content.rendering.problems import render_problem
from content.rendering.videos import Video, read_video
from content.versions.tree import Node, Tree

_TEXTS = frozenset({"html", "about", "static_tab", "course_info"})
_LANGUAGES = {"ar": "العربية", "de": "Deutsch", "en": "English", "es": "Español", "fr": "Français", "hi": "हिन्दी",
              "it": "Italiano", "ja": "日本語", "ko": "한국어", "pt": "Português", "ru": "Русский", "uk": "Українська",
              "zh": "中文"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendering:
    """A tree, the blocks of it that may be shown, and the content of those."""

    tree: Tree
    visible: Collection[str]
    fields: Mapping[bytes, dict[str, object]]
    links: Links
    opened: set[str] = field(default_factory=set)
    """Containers shown so far: one that is in two places is opened up in the first."""

    def fields_of(self, node: Node) -> dict[str, object]:
        return self.fields.get(node.definition, {}) if node.definition else {}


def render_block(rendering: Rendering, block_id: str, *, level: int = 2) -> str:
    """A section with a heading (none at level 1: the page has it) and the block's content."""
    node = rendering.tree.nodes[block_id]
    inside = _inside(rendering, node, level)
    if level > 1 and not inside.strip():
        return ""  # a text of nothing but scripts and styles
    heading = f"<h{level}>{escape(node.title)}</h{level}>" if level > 1 else ""
    return (
        f'<section class="block" id="{escape(node.name)}" data-type="{escape(node.type)}">{heading}{inside}</section>'
    )


def _inside(rendering: Rendering, node: Node, level: int) -> str:
    fields = rendering.fields_of(node)
    data = fields.get("data")
    text = data if isinstance(data, str) else ""
    if node.type in _TEXTS:
        return sanitize(rendering.links.rewrite(text), rendering.links.relative)
    if node.type == "problem":
        return render_problem(text, rendering.links)
    if node.type == "video":
        return render_video(node, read_video(node, fields, rendering.links))
    if node.type == "discussion":
        return render_discussion(node)
    children = [child for child in node.children if child in rendering.visible]
    if children and node.block_id not in rendering.opened:
        rendering.opened.add(node.block_id)
        return "".join(render_block(rendering, child, level=min(level + 1, 6)) for child in children)
    if children:
        return f'<p><a href="{rendering.links.block(node.block_id)}">{escape(node.title)}</a></p>'
    if node.children or node.type == "vertical":
        return '<p class="muted">There is nothing to see here yet.</p>'
    return f'<p class="note">A block of type <code>{escape(node.type)}</code> is not shown on this page.</p>'


def render_discussion(node: Node) -> str:
    """What it is about: conversations are held elsewhere."""
    said = [node.settings.get(name) for name in ("discussion_category", "discussion_target")]
    topic = " › ".join(escape(text) for text in said if isinstance(text, str) and text)
    about = f" about <strong>{topic}</strong>" if topic else ""
    return f'<p class="note">A discussion{about}. It is held where the course is taught, not on this page.</p>'


def render_video(node: Node, video: Video) -> str:
    """A player for files, a link for YouTube, and the transcripts to read."""
    parts = []
    if video.sources:
        sources = "".join(f'<source src="{escape(address)}">' for address in video.sources)
        tracks = "".join(
            f'<track kind="subtitles" srclang="{escape(language)}" label="{escape(_language(language))}" '
            f'src="{escape(address)}">'
            for language, address in sorted(video.transcripts.items())
        )
        parts.append(f'<video controls preload="metadata" title="{escape(node.title)}">{sources}{tracks}</video>')
    if video.youtube:
        address = f"https://www.youtube.com/watch?v={escape(video.youtube)}"
        parts.append(f'<p><a class="button" href="{address}" rel="noopener noreferrer">Watch on YouTube</a></p>')
    if not parts:
        parts.append('<p class="muted">This video has no address yet.</p>')
    if video.transcripts:
        links = ", ".join(
            f'<a href="{escape(address)}" hreflang="{escape(language)}">{escape(_language(language))}</a>'
            for language, address in sorted(video.transcripts.items())
        )
        parts.append(f"<p>Transcript: {links}</p>")
    if video.handout:
        parts.append(f'<p><a href="{escape(video.handout)}">Handout</a></p>')
    return "".join(parts)


def _language(code: str) -> str:
    return _LANGUAGES.get(code.partition("-")[0].lower(), code)
