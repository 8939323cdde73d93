"""Links of a course to itself, when it is imported under another name."""

import re
from dataclasses import dataclass, field

from common.keys import AssetKey, CourseKey, InvalidKey, UsageKey
from olx.values import Json

_MARKS = ("asset-v1:", "/c4x/", "i4x://", "block-v1:", "/jump_to/")


@dataclass(slots=True)
class References:
    """Rewrites what names the source course so that it names the target; what names a third course stays."""

    source: CourseKey
    target: CourseKey
    _quoted: list[tuple[re.Pattern[str], str]] = field(init=False)

    def __post_init__(self) -> None:
        source = self.source
        body = re.escape(source.canonical.partition(":")[2])
        legacy = f"{re.escape(source.org)}/{re.escape(source.course)}"
        asset = rf"(?:/?asset-v1:{body}\+type@asset\+block@|/c4x/{legacy}/asset/)"
        course = rf"/courses/(?:{re.escape(source.slashed)}|{re.escape(source.canonical)})"
        usage = rf"(?:i4x://{legacy}/[^/\s\"']+/|block-v1:{body}\+type@[^\s\"'+]+\+block@)"
        # As it stands in HTML, in JSON inside an attribute, and in a style sheet; a query or fragment may follow.
        quote, end = r"(\\?[\"']|&quot;|&#3[49];|\()", r"(?=[\"'?#&)\\])"
        self._quoted = [
            (re.compile(rf"{quote}{asset}([^\"'<>()/?#&\\]+){end}"), r"\1/static/\2"),
            (re.compile(rf"{quote}{course}/jump_to/{usage}([^\"'<>()\s/?#&\\]+)/?{end}"), r"\1/jump_to_id/\2"),
        ]

    @property
    def is_idle(self) -> bool:
        return self.source == self.target

    def rewrite(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.rewrite_text(value) if any(mark in value for mark in _MARKS) else value
        if isinstance(value, list):
            return [self.rewrite(item) for item in value]
        if isinstance(value, dict):
            return {name: self.rewrite(item) for name, item in value.items()}
        return value

    def rewrite_text(self, text: str) -> str:
        whole = self._whole(text)
        if whole is not None:
            return whole
        for pattern, replacement in self._quoted:
            text = pattern.sub(replacement, text)
        return text

    def _whole(self, text: str) -> str | None:
        """A text that is nothing but a key of the source course, or a list of keys as `conditional` has it."""
        if ";" in text and text.startswith(("i4x://", "block-v1:")):
            return ";".join(self._whole(part.strip()) or part for part in text.split(";"))
        if text.startswith(("i4x://", "block-v1:")):
            try:
                usage = UsageKey.parse(text, self.source)
            except InvalidKey:
                return None
            if usage.course != self.source:
                return None
            block_id = "course" if (usage.type, usage.id) == ("course", self.source.run) else usage.id
            return str(UsageKey(self.target, usage.type, block_id, usage.branch))
        if text.startswith(("/asset-v1:", "asset-v1:", "/c4x/")):
            try:
                asset = AssetKey.parse(text.removeprefix("/") if text.startswith("/asset") else text, self.source)
            except InvalidKey:
                return None
            return f"/static/{asset.name}" if asset.course == self.source else None
        return None

    def wiki_slug(self, slug: Json) -> Json:
        """The wiki of the source course becomes the target's own; any other wiki is meant as it is written."""
        return self.target.dotted if slug in (self.source.course, self.source.dotted) else slug
