"""Links that authors write for inside the course, as addresses that work outside it."""

import re
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import unquote

from common.keys import AssetKey, CourseKey, InvalidKey, UsageKey, clean_asset_name
from content.versions.tree import Tree

_STATIC = "/static/"
# Quoted, as attribute values and script strings are, or in the url() of a style.
_PLACE = r"(?:/static/|/jump_to_id/|(?:/courses/[^\"'()<>\s]+)?/jump_to(?:_id)?/|/c4x/)"
_LINK = re.compile(
    rf"""(?P<before>["'])(?P<quoted>{_PLACE}[^"'<>\n]*)(?P<after>(?P=before))
      |(?P<open>url\()(?P<bare>{_PLACE}[^"'()<>\s]*)(?P<close>\))""",
    re.VERBOSE,
)


def asset_address(course: CourseKey, path: str) -> str:
    """The address of the uploaded file that `/static/<path>` means."""
    name, mark, rest = _split(path)
    return f"/{AssetKey(course, clean_asset_name(unquote(name)))}{mark}{rest}"


def open_static(text: str, course: CourseKey) -> str:
    """*text* with addresses in place of its `/static/…` links, as an author's editor can show it."""
    return _LINK.sub(lambda match: _followed(match, lambda link: _static_address(link, course)), text)


def close_static(text: str, course: CourseKey, stored: str) -> str:
    """*text* with `/static/…` links again in place of addresses of the course's own files: another run, and an export,
    have those files under other addresses. What *stored* has of either is written as it is there."""
    written = {open_static(match[0], course): match[0] for match in _LINK.finditer(stored)}
    own = f"/{AssetKey(course, 'x')}"[:-1]

    def close(match: re.Match[str]) -> str:
        link = match[0]
        if link in written:
            return written[link]
        return link if link in stored else link.replace(own, _STATIC, 1)

    place = re.escape(own)
    return re.sub(rf"""(["']){place}[^"'<>\n]*\1|url\({place}[^"'()<>\s]*\)""", close, text)


def _static_address(link: str, course: CourseKey) -> str | None:
    return asset_address(course, link.removeprefix(_STATIC)) if link.startswith(_STATIC) else None


def _followed(match: re.Match[str], follow: Callable[[str], str | None]) -> str:
    """The link with what *follow* says it leads to in its place; as it is where that is nowhere."""
    link = match["quoted"] or match["bare"]
    before, after = match["before"] or match["open"], match["after"] or match["close"]
    target = follow(unescape(link))
    return f"{before}{escape(target) if target else link}{after}"


class Links:
    """Rewrites the links of one tree's texts; they stay on the branch, or in the version, that the reader asked for."""

    def __init__(self, tree: Tree, *, branch: str | None = None, version: str | None = None) -> None:
        self._tree = tree
        self._branch, self._version = branch, version
        self._by_name: dict[str, str] | None = None

    def asset(self, path: str) -> str:
        """The address of the uploaded file that `/static/<path>` means."""
        return asset_address(self._tree.course, path)

    def block(self, block_id: str) -> str:
        usage = self._tree.usage(block_id)
        if self._version is not None:
            usage = usage.at_version(self._version)
        elif self._branch is not None:
            usage = usage.on_branch(self._branch)
        return f"/xblock/{usage}"

    def course(self) -> str:
        """The address of the course's outline."""
        if self._version is not None:
            return f"/course/{self._tree.course}/version/{self._version}"
        return f"/course/{self._tree.spelling}" + (f"/branch/{self._branch}" if self._branch is not None else "")

    def relative(self, link: str) -> str | None:
        """Where a link without a beginning leads: to the block of that name, or nowhere: none of our pages is meant."""
        name, mark, rest = _split(link)
        block_id = self._find(name.removeprefix("./").strip("/")) if name else None
        return f"{self.block(block_id)}{mark}{rest}" if block_id else None

    def rewrite(self, text: str) -> str:
        """*text* with every link of the course made to work; what leads nowhere stays as it was."""
        return _LINK.sub(lambda match: _followed(match, self.follow), text)

    def follow(self, link: str) -> str | None:
        """Where a link of the course leads; None for any other."""
        if address := _static_address(link, self._tree.course):
            return address
        if link.startswith("/c4x/"):
            try:
                key = AssetKey.parse(link, self._tree.course)
            except InvalidKey:
                return None
            return f"/{key}" if key.course else None
        _, kind, place = link.partition("/jump_to_id/")
        if not kind:
            _, kind, place = link.partition("/jump_to/")
        name, mark, rest = _split(place)
        block_id = self._find(name) if kind == "/jump_to_id/" else self._find_usage(name)
        return f"{self.block(block_id)}{mark}{rest}" if block_id else None

    def _find(self, name: str) -> str | None:
        if self._by_name is None:
            self._by_name = {}
            for block_id in self._tree.order:
                self._by_name.setdefault(self._tree.nodes[block_id].name, block_id)
        return self._by_name.get(name)

    def _find_usage(self, text: str) -> str | None:
        try:
            usage = UsageKey.parse(text, self._tree.course)
        except InvalidKey:
            return None
        return usage.local if usage.local in self._tree.nodes else self._find(usage.id)


def _split(link: str) -> tuple[str, str, str]:
    """Name, mark and what follows it: a query or a fragment is kept."""
    found = re.search(r"[?#]", link)
    if found is None:
        return link, "", ""
    return link[: found.start()], found.group(), link[found.end() :]
