"""Where a video is, and its transcripts."""

import re
from dataclasses import dataclass, field

from content.rendering.links import Links
from content.versions.tree import Node

_YOUTUBE = re.compile(r"[\w-]{6,20}\Z")
_SOURCE = re.compile(r"<source\b[^>]*\bsrc=[\"']([^\"']+)[\"']", re.IGNORECASE)
_TRANSCRIPT = re.compile(r"<transcript\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(\w+)=[\"']([^\"']*)[\"']")


@dataclass(slots=True)
class Video:
    """What can be played and read of a video block."""

    youtube: str | None = None
    sources: list[str] = field(default_factory=list)
    transcripts: dict[str, str] = field(default_factory=dict)
    handout: str | None = None
    only_on_web: bool = False


def read_video(node: Node, fields: dict[str, object], links: Links) -> Video:
    """From settings, and from the elements that older courses put into the block's body."""
    data = fields.get("data")
    body = data if isinstance(data, str) else ""
    video = Video(youtube=_youtube(node), only_on_web=node.settings.get("only_on_web") is True)
    listed = node.settings.get("html5_sources")
    sources = [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
    single = node.settings.get("source")
    if isinstance(single, str):
        sources.append(single)
    sources += _SOURCE.findall(body)
    video.sources = [_address(source, links) for source in dict.fromkeys(sources) if _is_address(source)]
    for language, name in _transcripts(node, body).items():
        video.transcripts[language] = links.asset(name.removeprefix("/static/"))
    handout = node.settings.get("handout")
    if isinstance(handout, str) and _is_address(handout):
        video.handout = _address(handout, links)
    return video


def _youtube(node: Node) -> str | None:
    for name in ("youtube_id_1_0", "youtube"):
        value = node.settings.get(name)
        if not isinstance(value, str):
            continue
        for part in value.split(","):
            speed, _, identifier = part.rpartition(":")
            if speed in ("", "1.00", "1.0", "1") and _YOUTUBE.match(identifier):
                return identifier
    return None


def _transcripts(node: Node, body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    sub = node.settings.get("sub")
    if isinstance(sub, str) and sub:
        found["en"] = f"subs_{sub}.srt.sjson"
    for attributes in _TRANSCRIPT.findall(body):
        said = dict(_ATTRIBUTE.findall(attributes))
        if said.get("language") and said.get("src"):
            found[said["language"]] = said["src"]
    named = node.settings.get("transcripts")
    if isinstance(named, dict):
        found.update({str(language): name for language, name in named.items() if isinstance(name, str) and name})
    return found


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://", "/"))


def _address(text: str, links: Links) -> str:
    return links.follow(text) or text
