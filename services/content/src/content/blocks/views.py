"""What a phone needs of a block beside its name, and what a search engine would index. No I/O."""

import re
from html import unescape

from content.rendering.links import Links
from content.rendering.problems import render_problem
from content.rendering.videos import read_video
from content.versions.tree import Node

Json = dict[str, object]

VIEWED = frozenset({"html", "video", "discussion"})
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def student_view_data(node: Node, fields: Json, links: Links, base: str) -> Json | None:
    """None for types without such data: problems above all."""
    data = fields.get("data")
    if node.type == "html":
        return {"enabled": True, "html": links.rewrite(data) if isinstance(data, str) else ""}
    if node.type == "discussion":
        return {"topic_id": node.settings.get("discussion_id") or node.name}
    if node.type != "video":
        return None
    video = read_video(node, fields, links)

    def absolute(address: str) -> str:
        return f"{base}{address}" if address.startswith("/") else address

    encoded: Json = {}
    if video.youtube:
        encoded["youtube"] = {"url": f"https://www.youtube.com/watch?v={video.youtube}", "file_size": 0}
    if video.sources:
        encoded["fallback"] = {"url": absolute(video.sources[0]), "file_size": 0}
    return {
        "only_on_web": video.only_on_web,
        "duration": None,
        "transcripts": {language: absolute(address) for language, address in video.transcripts.items()},
        "encoded_videos": encoded,
        "all_sources": [absolute(source) for source in video.sources],
    }


def index_dictionary(node: Node, fields: Json, links: Links) -> Json:
    """The words of a block; of a problem only those a learner may read."""
    content: Json = {"display_name": node.display_name}
    data = fields.get("data")
    text = data if isinstance(data, str) else ""
    if node.type == "html":
        return {"content": content | {"html_content": _words(text)}, "content_type": "Text"}
    if node.type == "problem":
        return {"content": content | {"capa_content": _words(render_problem(text, links))}, "content_type": "CAPA"}
    if node.type == "video":
        return {"content": content, "content_type": "Video"}
    return {"content": content, "content_type": "Sequence"} if node.children else {"content": content}


def _words(html: str) -> str:
    return " ".join(unescape(_TAGS.sub(" ", html)).split())
