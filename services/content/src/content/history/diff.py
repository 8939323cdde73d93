"""What differs between two versions, as a person would tell it: added, removed, moved, changed fields. No I/O."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.keys import CourseKey
from content.history.queries import Form, Pair
from content.versions.models import ASSET, DETACHED, FILE, local_id, usage_of

Json = dict[str, object]
Fields = Mapping[bytes, Mapping[str, object]]


@dataclass(slots=True)
class Section:
    """The differences of one kind of thing."""

    added: list[Json] = field(default_factory=list)
    removed: list[Json] = field(default_factory=list)
    moved: list[Json] = field(default_factory=list)
    changed: list[Json] = field(default_factory=list)

    def printed(self, *, moves: bool) -> Json:
        shown: Json = {"added": self.added, "removed": self.removed}
        if moves:
            shown["moved"] = self.moved
        return shown | {"changed": self.changed}


def needed_definitions(pairs: Iterable[Pair]) -> set[bytes]:
    """Of the definitions, those whose fields have to be compared."""
    return {
        form.definition
        for pair in pairs
        if pair.before and pair.after and pair.before.definition != pair.after.definition
        for form in (pair.before, pair.after)
        if form.definition is not None
    }


def describe(course: CourseKey, pairs: Sequence[Pair], fields: Fields) -> Json:
    """`blocks`, `pages`, `assets`, `files`, each with what was added, removed, changed (and, of blocks, moved)."""
    blocks, pages, assets, files = Section(), Section(), Section(), Section()
    for pair in pairs:
        form = pair.after or pair.before
        if form is None:
            continue
        if form.type == ASSET:
            _tell(course, assets, pair, _named(pair, "name"), fields)
        elif form.type == FILE:
            _tell(course, files, pair, _named(pair, "path"), fields)
        else:
            section = pages if form.type in DETACHED else blocks
            _tell(course, section, pair, _labelled(course, pair.block_id, form), fields)
            _move(course, section, pair, form)
    _reorder(course, blocks, pairs)
    blocks.moved.sort(key=lambda line: str(line["id"]))
    return {
        "blocks": blocks.printed(moves=True),
        "pages": pages.printed(moves=False),
        "assets": assets.printed(moves=False),
        "files": files.printed(moves=False),
    }


def _named(pair: Pair, word: str) -> Json:
    return {word: local_id(pair.block_id)}


def _labelled(course: CourseKey, block_id: str, form: Form) -> Json:
    return {
        "id": usage_of(course, block_id),
        "category": form.type,
        "display_name": form.settings.get("display_name"),
        "parent": usage_of(course, form.parent) if form.parent else None,
    }


def _tell(course: CourseKey, section: Section, pair: Pair, label: Json, fields: Fields) -> None:
    if pair.before is None:
        section.added.append(label)
    elif pair.after is None:
        section.removed.append(label)
    else:
        changes = changed_fields(course, pair.before, pair.after, fields)
        if changes:
            section.changed.append(label | {"fields": changes})


def changed_fields(course: CourseKey, before: Form, after: Form, fields: Fields) -> list[Json]:
    """Each field that differs, with its scope; a side without it has no value there."""
    changes: list[Json] = []
    if before.definition != after.definition:
        old = fields.get(before.definition, {}) if before.definition else {}
        new = fields.get(after.definition, {}) if after.definition else {}
        changes += _compare("content", old, new)
    changes += _compare("settings", before.settings, after.settings)
    changes += _compare("extra", before.extra or {}, after.extra or {})
    if sorted(before.children) != sorted(after.children):
        old_children, new_children = set(before.children), set(after.children)
        changes.append(
            {
                "scope": "children",
                "field": "children",
                "removed": [usage_of(course, child) for child in before.children if child not in new_children],
                "added": [usage_of(course, child) for child in after.children if child not in old_children],
            }
        )
    return changes


def _compare(scope: str, before: Mapping[str, object], after: Mapping[str, object]) -> list[Json]:
    changes = []
    for name in sorted(before.keys() | after.keys()):
        if name in before and name in after and _same(before[name], after[name]):
            continue
        change: Json = {"scope": scope, "field": name}
        if name in before:
            change["from"] = before[name]
        if name in after:
            change["to"] = after[name]
        changes.append(change)
    return changes


def _same(one: object, other: object) -> bool:
    """To JSON 1 and true differ; to Python they do not."""
    return one == other and (type(one) is type(other) or (not isinstance(one, bool) and not isinstance(other, bool)))


def _move(course: CourseKey, section: Section, pair: Pair, form: Form) -> None:
    if pair.before is None or pair.after is None or pair.before.parent == pair.after.parent:
        return
    section.moved.append(
        _labelled(course, pair.block_id, form)
        | {"from_parent": usage_of(course, pair.before.parent) if pair.before.parent else None}
    )


def _reorder(course: CourseKey, section: Section, pairs: Sequence[Pair]) -> None:
    """Children that stayed with their parent and stand elsewhere among their siblings: as few of them as explain it."""
    for pair in pairs:
        if pair.before is None or pair.after is None or pair.before.children == pair.after.children:
            continue
        places = {child: place for place, child in enumerate(pair.before.children)}
        stayed = [child for child in dict.fromkeys(pair.after.children) if child in places]
        kept = _longest_rise([places[child] for child in stayed])
        for index, child in enumerate(stayed):
            if index not in kept:
                section.moved.append(
                    {
                        "id": usage_of(course, child),
                        "category": child.partition("@")[0],
                        "parent": usage_of(course, pair.block_id),
                        "from_parent": usage_of(course, pair.block_id),
                        "from_index": places[child],
                        "to_index": pair.after.children.index(child),
                    }
                )


def _longest_rise(values: Sequence[int]) -> set[int]:
    """Indexes of a longest rising run through *values*: those that need not have moved."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for index, value in enumerate(values):
        place = bisect_left(tails, value)
        before.append(ends[place - 1] if place else None)
        if place == len(tails):
            tails.append(value)
            ends.append(index)
        else:
            tails[place], ends[place] = value, index
    found: set[int] = set()
    step = ends[-1] if ends else None
    while step is not None:
        found.add(step)
        step = before[step]
    return found
