"""The names of courses, blocks, assets and definitions, in every spelling clients use.

`CourseKey`, `UsageKey`, `AssetKey` and `DefinitionKey` are identities: two spellings of one thing are equal.
`Locator` is what an address can say beyond that: a branch, a version, a course named by its dotted form of 2013.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

MAX_KEY_LENGTH: Final = 255

Kind = Literal["course", "library"]

_PART = re.compile(r"[\w\-~.:]+")
_NAME = re.compile(r"[\w\-~.:%]+")
_GUID = re.compile(r"[0-9a-fA-F]{24}|[0-9a-fA-F]{32}")
_NOT_IN_NAME = re.compile(r"[^\w\-~.:%]")
_NOT_IN_ASSET = re.compile(r"[^\w\-.%]")
_TAGS: Final = ("branch", "version", "type", "block")
_STEPS: Final = ("branch", "version", "block")
_BLOCK_SCHEMES: Final = ("block-v1", "lib-block-v1")
_ASSET_SCHEMES: Final = ("asset-v1",)
_LOCATOR_SCHEMES: Final = ("course-v1", "library-v1", "i4x", *_BLOCK_SCHEMES)
_LONG_BRANCH: Final = {"draft": "draft-branch", "published": "published-branch"}
_SHORT_BRANCH: Final = {"draft-branch": "draft", "published-branch": "published"}


class InvalidKey(ValueError):
    """This is not a key."""

    def __init__(self, text: str, expected: str) -> None:
        self.text = text
        shown = text if len(text) <= 80 else text[:77] + "..."
        super().__init__(f"{shown!r} is not {expected}")


@dataclass(frozen=True, slots=True)
class CourseKey:
    """One course run, or a library (whose run is `library`)."""

    org: str
    course: str
    run: str
    kind: Kind = "course"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `course-v1:O+C+R`, `O/C/R` or `library-v1:O+L`."""
        if text.startswith("course-v1:"):
            parts = text[10:].split("+")
            kind: Kind = "course"
        elif text.startswith("library-v1:"):
            parts = [*text[11:].split("+"), "library"]
            kind = "library"
        else:
            parts = text.split("/")
            kind = "course"
        if len(parts) != 3 or len(text) > MAX_KEY_LENGTH or not all(map(_PART.fullmatch, parts)):
            raise InvalidKey(text, "a course key")
        return cls(parts[0], parts[1], parts[2], kind)

    @property
    def is_library(self) -> bool:
        return self.kind == "library"

    @property
    def canonical(self) -> str:
        if self.is_library:
            return f"library-v1:{self.org}+{self.course}"
        return f"course-v1:{self.org}+{self.course}+{self.run}"

    @property
    def slashed(self) -> str:
        return f"{self.org}/{self.course}/{self.run}"

    @property
    def dotted(self) -> str:
        """The form of 2013. It cannot be split again: reading it takes a look-up made when the course was created."""
        return f"{self.org}.{self.course}.{self.run}"

    def usage(self, block_type: str, block_id: str) -> "UsageKey":
        return UsageKey(self, block_type, block_id)

    def asset(self, name: str) -> "AssetKey":
        return AssetKey(self, name)

    def __str__(self) -> str:
        return self.canonical


@dataclass(frozen=True, slots=True)
class UsageKey:
    """One block, in a course, in a version, or (`i4x://` without its course) in a course whose run is not known yet."""

    course: CourseKey | None
    type: str
    id: str
    branch: str | None = None
    version: str | None = None
    legacy: tuple[str, str] | None = None
    """Organization and number of an `i4x://` key whose run is unknown; else None."""

    @classmethod
    def parse(cls, text: str, course: CourseKey | None = None) -> Self:
        """Read a block key; `course` supplies the run of an `i4x://` key of that organization and number."""
        if text.startswith("i4x://"):
            return cls._parse_i4x(text, course)
        where = _parse_key(text, _BLOCK_SCHEMES)
        if where is None or where.block is None or where.block_type is None:
            raise InvalidKey(text, "a block key")
        return cls(where.course, where.block_type, where.block, where.branch, where.version)

    @classmethod
    def _parse_i4x(cls, text: str, course: CourseKey | None) -> Self:
        parts = text[6:].split("/")
        revision = None
        if len(parts) == 4 and "@" in parts[3]:
            parts[3], revision = parts[3].split("@", 1)
        if (
            len(parts) != 4
            or not all(map(_PART.fullmatch, parts[:3]))
            or not _NAME.fullmatch(parts[3])
            or not (revision is None or _PART.fullmatch(revision))
            or len(text) > 4 * MAX_KEY_LENGTH
        ):
            raise InvalidKey(text, "a block key")
        org, number, block_type, block_id = parts
        branch = None if revision is None else short_branch(revision)
        if course is not None and (course.org, course.course) == (org, number):
            return cls(course, block_type, block_id, branch)
        return cls(None, block_type, block_id, branch, legacy=(org, number))

    @property
    def local(self) -> str:
        """The block within its course: `type@id`."""
        return f"{self.type}@{self.id}"

    @property
    def i4x(self) -> str:
        """The spelling of 2012, which says neither run nor version."""
        if self.course is None and self.legacy is None:
            raise InvalidKey(str(self), "a block of a known course")
        org, number = (self.course.org, self.course.course) if self.course else self.legacy or ("", "")
        revision = f"@{self.branch}" if self.branch else ""
        return f"i4x://{org}/{number}/{self.type}/{self.id}{revision}"

    def without_version(self) -> Self:
        return replace(self, version=None)

    def on_branch(self, branch: str | None) -> Self:
        """The same block at the head of a branch: a version no longer applies."""
        return replace(self, branch=None if branch is None else short_branch(branch), version=None)

    def at_version(self, version: str) -> Self:
        return replace(self, version=version)

    def __str__(self) -> str:
        if self.legacy is not None:
            return self.i4x
        return _print_key("block-v1", "lib-block-v1", self.course, self.branch, self.version) + (
            f"+type@{self.type}+block@{self.id}"
        )


@dataclass(frozen=True, slots=True)
class AssetKey:
    """One uploaded file of a course."""

    course: CourseKey | None
    name: str
    type: str = "asset"
    legacy: tuple[str, str] | None = None
    """Organization and number of a `/c4x/` key whose run is unknown; else None."""

    @classmethod
    def parse(cls, text: str, course: CourseKey | None = None) -> Self:
        """Read `asset-v1:…` or `/c4x/…`; `course` supplies the run of the latter, and says that it is a library."""
        if text.startswith(("/c4x/", "c4x/")):
            parts = text.removeprefix("/").split("/")[1:]
            if len(parts) != 4 or not all(map(_PART.fullmatch, parts[:3])) or not _NAME.fullmatch(parts[3]):
                raise InvalidKey(text, "an asset key")
            org, number, asset_type, name = parts
            if course is not None and (course.org, course.course) == (org, number):
                return cls(course, name, asset_type)
            return cls(None, name, asset_type, legacy=(org, number))
        where = _parse_key(text, _ASSET_SCHEMES)
        if where is None or where.course is None or where.block is None or where.block_type is None:
            raise InvalidKey(text, "an asset key")
        is_of_library = course is not None and course.is_library and course.slashed == where.course.slashed
        return cls(course if is_of_library else where.course, where.block, where.block_type)

    @property
    def c4x(self) -> str:
        org, number = (self.course.org, self.course.course) if self.course else self.legacy or ("", "")
        return f"/c4x/{org}/{number}/{self.type}/{self.name}"

    def __str__(self) -> str:
        if self.course is None:
            return self.c4x
        return f"asset-v1:{self.course.slashed.replace('/', '+')}+type@{self.type}+block@{self.name}"


@dataclass(frozen=True, slots=True)
class DefinitionKey:
    """The content of a block, shared by every course that uses it."""

    guid: str
    type: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `def-v1:<guid>+type@T` or `defx://<guid>`, or a bare guid."""
        guid, _, tag = text.removeprefix("defx://").removeprefix("def-v1:").partition("+")
        block_type = tag.removeprefix("type@") if tag.startswith("type@") else None
        if (
            not _GUID.fullmatch(guid)
            or bool(tag) != (block_type is not None)
            or not (block_type is None or _PART.fullmatch(block_type))
            or text.endswith("+")
        ):
            raise InvalidKey(text, "a definition key")
        return cls(guid.lower(), block_type)

    def __str__(self) -> str:
        return f"def-v1:{self.guid}" + (f"+type@{self.type}" if self.type else "")


@dataclass(frozen=True, slots=True)
class Locator:
    """Where an address points: a course (or its dotted name, still to be looked up), a branch, a version, a block."""

    course: CourseKey | None = None
    dotted: str | None = None
    branch: str | None = None
    version: str | None = None
    block_type: str | None = None
    block: str | None = None
    legacy: tuple[str, str] | None = None
    """Organization and number of an `i4x://` key whose run is unknown; else None."""

    @staticmethod
    def parse(text: str) -> "Locator":
        """Read a path of 2013 (`[edx://]course[/branch/B][/version/G][/block/ID]`) or any course or block key."""
        body = text if text.startswith("i4x://") else (text[6:] if text[:6].lower() == "edx://" else text).strip("/")
        found = _parse_key(body) or _parse_path(body)
        if found is None or len(text) > 8 * MAX_KEY_LENGTH:
            raise InvalidKey(text, "a locator")
        return found

    def in_course(self, course: CourseKey) -> Self:
        """The same place once its dotted course name has been looked up."""
        return replace(self, course=course, dotted=None, legacy=None)

    @property
    def usage(self) -> UsageKey:
        """The block as a key; only for a locator that names a block and its type."""
        if self.block is None or self.block_type is None:
            raise InvalidKey(str(self), "a block of a known type")
        return UsageKey(self.course, self.block_type, self.block, self.branch, self.version, self.legacy)

    def __str__(self) -> str:
        """The path of 2013, which every locator but an unresolved `i4x://` has."""
        if self.legacy is not None:
            return str(self.usage)
        steps = [self.dotted or (str(self.course) if self.course else None)]
        for tag in ("branch", "version", "block"):
            value: str | None = getattr(self, tag)
            steps.append(f"{tag}/{value}" if value else None)
        return "/".join(step for step in steps if step)


def short_branch(branch: str) -> str:
    """`draft-branch` and `draft` are one branch; inside it is called `draft`."""
    return _SHORT_BRANCH.get(branch, branch)


def long_branch(branch: str) -> str:
    """The form of a branch that canonical keys print."""
    return _LONG_BRANCH.get(branch, branch)


def parse_guid(text: str) -> str:
    """A version or definition guid: 24 or 32 hexadecimal digits, in lower case from here on."""
    if not _GUID.fullmatch(text):
        raise InvalidKey(text, "a guid")
    return text.lower()


def is_name(text: str) -> bool:
    """May a block be called this?"""
    return _NAME.fullmatch(text) is not None


def clean_name(text: str) -> str:
    """The block name nearest to a free text: every run of characters a key may not hold becomes one `_`."""
    return re.sub(r"_+", "_", _NOT_IN_NAME.sub("_", text))


def clean_asset_name(path: str) -> str:
    """The flat name of an uploaded file: one `_` for each `/` and each character an asset key may not hold."""
    return _NOT_IN_ASSET.sub("_", path)


def _print_key(prefix: str, library: str, course: CourseKey | None, branch: str | None, version: str | None) -> str:
    parts = [] if course is None else [course.canonical.partition(":")[2]]
    parts += [f"branch@{long_branch(branch)}"] if branch else []
    parts += [f"version@{version}"] if version else []
    return f"{library if course is not None and course.is_library else prefix}:{'+'.join(parts)}"


def _parse_key(text: str, schemes: tuple[str, ...] = _LOCATOR_SCHEMES) -> Locator | None:
    """A key of one of these schemes; None when it is none."""
    scheme, colon, body = text.partition(":")
    if not colon or scheme not in schemes or len(text) > 4 * MAX_KEY_LENGTH:
        return None
    if scheme == "i4x":
        try:
            usage = UsageKey.parse(text)
        except InvalidKey:
            return None
        return Locator(None, None, usage.branch, None, usage.type, usage.id, usage.legacy)
    is_library = scheme in ("library-v1", "lib-block-v1")
    return _parse_tagged(body, library=is_library, with_block=scheme not in ("course-v1", "library-v1"))


def _parse_tagged(body: str, *, library: bool, with_block: bool) -> Locator | None:
    parts = body.split("+")
    plain = []
    while parts and "@" not in parts[0]:
        plain.append(parts.pop(0))
    tags = _read_tags(parts)
    if tags is None or not all(map(_PART.fullmatch, plain)):
        return None
    version = tags.get("version")
    if len(plain) == (2 if library else 3):
        course = CourseKey(plain[0], plain[1], "library" if library else plain[2], "library" if library else "course")
        if len(str(course)) > MAX_KEY_LENGTH:
            return None
    elif not plain and version is not None and not library:
        course = None
    else:
        return None
    if with_block != ("block" in tags) or (library and with_block and "type" not in tags):
        return None
    if not with_block and "type" in tags:
        return None
    return Locator(course, None, tags.get("branch"), version, tags.get("type"), tags.get("block"))


def _read_tags(parts: list[str]) -> dict[str, str] | None:
    """`branch@…`, `version@…`, `type@…`, `block@…`, each at most once and in this order."""
    tags: dict[str, str] = {}
    position = 0
    for part in parts:
        tag, _, value = part.partition("@")
        if tag not in _TAGS[position:]:
            return None
        position = _TAGS.index(tag) + 1
        if tag == "version":
            if not _GUID.fullmatch(value):
                return None
            value = value.lower()
        elif not (_NAME if tag == "block" else _PART).fullmatch(value):
            return None
        tags[tag] = short_branch(value) if tag == "branch" else value
    return tags


def _parse_path(text: str) -> Locator | None:
    steps = text.split("/")
    course: CourseKey | None = None
    dotted: str | None = None
    found: Locator | None = None
    # steps are named in any case, unless that would take the name of a course `Org/Branch/Run` apart
    is_dotted = steps[0].count(".") >= 2
    if steps[0] not in _STEPS and (len(steps) % 2 or steps[0].lower() not in _STEPS):
        take = 1 if ":" in steps[0] or len(steps) < 3 or (steps[1].lower() if is_dotted else steps[1]) in _STEPS else 3
        name, steps = "/".join(steps[:take]), steps[take:]
        if take == 1 and ":" in name:
            if (found := _parse_key(name)) is None or found.block is not None:
                return None
            course = found.course
        elif take == 3:
            try:
                course = CourseKey.parse(name)
            except InvalidKey:
                return None
        elif is_dotted and all(map(_PART.fullmatch, name.split("."))):
            dotted = name
        else:
            return None
    if len(steps) % 2:
        return None
    tags = _read_tags([f"{tag.lower()}@{value}" for tag, value in zip(steps[::2], steps[1::2], strict=True)])
    if tags is None or "type" in tags or not (course or dotted or "version" in tags):
        return None
    branch = tags.get("branch") or (found.branch if found else None)
    version = tags.get("version") or (found.version if found else None)
    return Locator(course, dotted, branch, version, None, tags.get("block"))
