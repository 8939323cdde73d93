"""From a course's snapshot to upstream's figures. No I/O.

Both ways of asking (`graded_only`, `exclude_graded`) are counted at once, so that what is stored answers either.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from common.keys import CourseKey
from olx.values import Json

CONTAINERS: Final = frozenset({"course", "chapter", "sequential", "vertical"})
# What upstream's courses start at as long as nobody has said when.
DEFAULT_START: Final = datetime(2030, 1, 1, tzinfo=UTC)
_EMAIL_PROVIDER: Final = "proctortrack"
Object = Mapping[str, Json]
Figures = dict[str, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """One block of the tree, with what it has from those above it."""

    key: str
    type: str
    settings: Object
    fields: Object
    children: tuple[str, ...]
    is_visible: bool
    is_graded: bool
    due: datetime | None

    @property
    def is_leaf(self) -> bool:
        return self.is_visible and self.type not in CONTAINERS and not self.children


class Outline:
    """The blocks below the root, in the order of reading, each once."""

    def __init__(self, snapshot: Object) -> None:
        self._blocks = _object(snapshot.get("blocks"))
        self.root = str(snapshot.get("root"))
        self.settings = _object(_object(self._blocks.get(self.root)).get("settings"))
        self.fields = _object(_object(self._blocks.get(self.root)).get("fields"))
        self.course = CourseKey.parse(str(snapshot.get("course_id")))
        self.blocks = {seen.key: seen for seen in self._walk()}

    def _walk(self) -> Iterator[Seen]:
        found: set[str] = set()
        waiting: list[tuple[str, bool, bool, datetime | None]] = [(self.root, True, False, None)]
        while waiting:
            key, visible, graded, due = waiting.pop()
            block = self._blocks.get(key)
            if key in found or not isinstance(block, dict):
                continue
            found.add(key)
            settings, children = _object(block.get("settings")), block.get("children")
            visible = visible and settings.get("visible_to_staff_only") is not True
            graded = bool(settings.get("graded", graded))
            due = moment(settings["due"]) if "due" in settings else due
            names = tuple(str(child) for child in children) if isinstance(children, list) else ()
            fields = _object(block.get("fields"))
            yield Seen(key, str(block.get("type")), settings, fields, names, visible, graded, due)
            waiting.extend((name, visible, graded, due) for name in reversed(names))

    def of(self, block_type: str) -> list[Seen]:
        return [seen for seen in self.blocks.values() if seen.type == block_type]

    def below(self, seen: Seen) -> Iterator[Seen]:
        """All blocks under one, each once."""
        found: set[str] = set()
        waiting = list(reversed(seen.children))
        while waiting:
            key = waiting.pop()
            inner = self.blocks.get(key)
            if key in found or inner is None:
                continue
            found.add(key)
            yield inner
            waiting.extend(reversed(inner.children))

    def beside(self, key: str) -> Object:
        """The fields of a block that stands beside the tree."""
        return _object(_object(self._blocks.get(key)).get("fields"))

    def name(self, seen: Seen) -> Figures:
        block_type, _, block_id = seen.key.partition("@")
        return {"id": str(self.course.usage(block_type, block_id)), "display_name": seen.settings.get("display_name")}


def inspect(snapshot: Object) -> dict[str, object]:
    """Everything either API may be asked for."""
    outline = Outline(snapshot)
    return {
        "is_self_paced": outline.settings.get("self_paced") is True,
        "dates": _dates(outline),
        "assignments": {"all": _assignments(outline, False), "graded_only": _assignments(outline, True)},
        "grades": _grades(outline),
        "certificates": _certificates(outline),
        "updates": {"has_update": _has_update(outline)},
        "proctoring": _proctoring(outline),
        "sections": _sections(outline),
        "subsections": {"all": _subsections(outline, False), "exclude_graded": _subsections(outline, True)},
        "units": {"all": _units(outline, False), "exclude_graded": _units(outline, True)},
        "videos": _videos(outline),
    }


def _dates(outline: Outline) -> Figures:
    start, end = moment(outline.settings.get("start")), moment(outline.settings.get("end"))
    return {"has_start_date": start is not None and start != DEFAULT_START, "has_end_date": end is not None}


def _assignments(outline: Outline, graded_only: bool) -> Figures:
    wanted = [seen for seen in outline.of("sequential") if seen.is_graded or not graded_only]
    visible = [seen for seen in wanted if seen.is_visible]
    start, end = moment(outline.settings.get("start")), moment(outline.settings.get("end"))
    oras = [inner for seen in visible for inner in outline.below(seen) if inner.type == "openassessment"]

    def early(times: Iterable[datetime]) -> bool:
        return start is not None and any(time < start for time in times)

    def late(times: Iterable[datetime]) -> bool:
        return end is not None and any(time > end for time in times)

    def due(seen: Seen) -> list[datetime]:
        return [seen.due] if seen.due else []

    return {
        "total_number": len(wanted),
        "total_visible": len(visible),
        "assignments_with_dates_before_start": [outline.name(seen) for seen in visible if early(due(seen))],
        "assignments_with_dates_after_end": [outline.name(seen) for seen in visible if late(due(seen))],
        "assignments_with_ora_dates_before_start": [outline.name(seen) for seen in oras if early(_ora_times(seen))],
        "assignments_with_ora_dates_after_end": [outline.name(seen) for seen in oras if late(_ora_times(seen))],
    }


def _ora_times(seen: Seen) -> list[datetime]:
    """When an open response begins and ends to be written and assessed."""
    given = {**seen.fields, **seen.settings}
    steps = given.get("rubric_assessments")
    places = [given, *(_object(step) for step in (steps if isinstance(steps, list) else []))]
    names = ("submission_start", "submission_due", "start", "due")
    times = [moment(place.get(name)) for place in places for name in names if place is not given or "sub" in name]
    return [time for time in times if time is not None]


def _grades(outline: Outline) -> Figures:
    policy = outline.fields.get("grading_policy", outline.settings.get("grading_policy"))
    graders = _object(policy).get("GRADER")
    weights = [_object(grader).get("weight") for grader in (graders if isinstance(graders, list) else [])]
    total = sum(float(weight) for weight in weights if isinstance(weight, int | float))
    return {"has_grading_policy": bool(weights), "sum_of_weights": round(total, 6)}


def _certificates(outline: Outline) -> Figures:
    held = _object(outline.settings.get("certificates")).get("certificates")
    certificates = [_object(item) for item in held] if isinstance(held, list) else []
    return {
        "is_enabled": outline.settings.get("cert_html_view_enabled") is True,
        "is_activated": any(item.get("is_active") is True for item in certificates),
        "has_certificate": bool(certificates),
    }


def _has_update(outline: Outline) -> bool:
    page = outline.beside("course_info@updates")
    items, text = page.get("items"), page.get("data")
    if isinstance(items, list):
        return any(_object(item).get("status", "visible") == "visible" for item in items)
    return isinstance(text, str) and text.strip() not in ("", "<ol></ol>", "<section></section>")


def _proctoring(outline: Outline) -> Figures:
    settings = outline.settings
    needs = settings.get("enable_proctored_exams") is True and settings.get("proctoring_provider") == _EMAIL_PROVIDER
    return {
        "needs_proctoring_escalation_email": needs,
        "has_proctoring_escalation_email": bool(settings.get("proctoring_escalation_email")),
    }


def _sections(outline: Outline) -> Figures:
    sections = outline.of("chapter")
    visible = [seen for seen in sections if seen.is_visible]
    return {
        "total_number": len(sections),
        "total_visible": len(visible),
        "number_with_highlights": sum(bool(seen.settings.get("highlights")) for seen in visible),
        "highlights_active_for_course": outline.settings.get("highlights_enabled_for_messaging") is True,
        "highlights_enabled": True,
    }


def _visible(outline: Outline, block_type: str, exclude_graded: bool) -> list[Seen]:
    return [seen for seen in outline.of(block_type) if seen.is_visible and not (exclude_graded and seen.is_graded)]


def _subsections(outline: Outline, exclude_graded: bool) -> Figures:
    visible = _visible(outline, "sequential", exclude_graded)
    kinds = [len({inner.type for inner in outline.below(seen) if inner.is_leaf}) for seen in visible]
    return {
        "total_visible": len(visible),
        "num_with_one_block_type": kinds.count(1),
        "num_block_types": spread(kinds),
    }


def _units(outline: Outline, exclude_graded: bool) -> Figures:
    visible = _visible(outline, "vertical", exclude_graded)
    blocks = [sum(inner.is_leaf for inner in outline.below(seen)) for seen in visible]
    return {"total_visible": len(visible), "num_blocks": spread(blocks)}


def _videos(outline: Outline) -> Figures:
    """Encodings and durations are a video service's to know, and there is none here."""
    videos = outline.of("video")
    with_id = sum(bool(seen.settings.get("edx_video_id") or seen.fields.get("edx_video_id")) for seen in videos)
    return {
        "total_number": len(videos),
        "num_mobile_encoded": 0,
        "num_with_val_id": with_id,
        "durations": spread([]),
    }


def spread(values: Sequence[int]) -> dict[str, int | None]:
    """Of nothing, nothing; mean and median are whole numbers."""
    if not values:
        return dict.fromkeys(("min", "max", "mean", "median", "mode"))
    return {
        "min": min(values),
        "max": max(values),
        "mean": round(statistics.fmean(values)),
        "median": round(statistics.median(values)),
        "mode": statistics.multimode(sorted(values))[0],
    }


def moment(value: Json) -> datetime | None:
    """A date of a course; what is none counts as not set. A time without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip().strip('"'))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _object(value: Json) -> Object:
    return value if isinstance(value, dict) else {}
