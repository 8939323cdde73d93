"""From what content and the catalogue say about a course to the rows that lists, searches and pages read."""

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import nh3

from course_catalog.courses import words
from course_catalog.courses.facts import CourseDeleted, CourseFacts, CourseSettings
from course_catalog.courses.rendering import advertised, render_item, without_tags
from course_catalog.listings.models import Own

# enough of a long overview to be found by; `words` bounds the rest
_OVERVIEW = 40_000
_BREAK = re.compile(r"<(?=/?(?:p|div|li|h[1-6]|br|td|th|section)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListingRow:
    """The columns lists are decided by; a change of any of them takes a new revision."""

    deleted: bool
    visible_to_staff_only: bool
    invitation_only: bool
    mobile_available: bool
    start_at: datetime
    end_at: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    catalog_visibility: str
    org: str
    audience: int
    listed_from: datetime | None
    listed_until: datetime | None
    only_during_enrollment: bool
    self_paced: bool
    language: str
    words_digest: str


LISTED = tuple(field.name for field in fields(ListingRow))


@dataclass(frozen=True, slots=True)
class CourseRows:
    """One course, ready to be stored."""

    content_version: int
    listing: ListingRow
    document: dict[str, object]
    words: str

    def course(self, key: str, pos: int) -> dict[str, object]:
        return {"course_key": key, "pos": pos, "content_version": self.content_version} | asdict(self.listing)


def rows_of(fact: CourseFacts | CourseDeleted, own: Own) -> CourseRows:
    """Everything stored about a course. A deleted one we never heard of is an empty course that is deleted."""
    deleted = isinstance(fact, CourseDeleted)
    facts = CourseFacts(course_id=fact.course_id, version=fact.version) if isinstance(fact, CourseDeleted) else fact
    found = _words(facts, own)
    return CourseRows(
        content_version=fact.version,
        listing=_listing_row(facts, own, deleted=deleted, digest=hashlib.blake2b(found.encode(), digest_size=12)),
        document={
            "spelling": facts.shown_id,
            "content_guid": facts.guid,
            "item": render_item(facts, own.marketing),
            "settings": facts.course.model_dump(mode="json"),
            "about": facts.about,
        },
        words=found,
    )


def _listing_row(facts: CourseFacts, own: Own, *, deleted: bool, digest: "hashlib.blake2b") -> ListingRow:
    course: CourseSettings = facts.course
    return ListingRow(
        deleted=deleted,
        visible_to_staff_only=course.visible_to_staff_only,
        invitation_only=course.invitation_only,
        mobile_available=course.mobile_available,
        start_at=course.start_at,
        end_at=course.end,
        enrollment_start=course.enrollment_start,
        enrollment_end=course.enrollment_end,
        catalog_visibility=course.visibility,
        org=facts.key.org.casefold(),
        audience=own.audience,
        listed_from=own.listed_from,
        listed_until=own.listed_until,
        only_during_enrollment=own.only_during_enrollment,
        self_paced=course.self_paced,
        language=(course.language or "").casefold(),
        words_digest=digest.hexdigest(),
    )


def _words(facts: CourseFacts, own: Own) -> str:
    shown = advertised(facts, own.marketing)
    key, course, about = shown.key, shown.course, shown.about
    overview = about.get("overview", "")[:_OVERVIEW]
    texts = (
        ("A", [without_tags(course.name(key))]),
        ("B", [course.display_coursenumber or "", key.course, course.display_organization or "", key.org, key.run]),
        ("C", [without_tags(about.get("short_description", ""))]),
        ("D", [nh3.clean(_BREAK.sub(" <", overview), tags=set())]),
    )
    return words.vector(texts)
