"""The rules of enrollment in bulk, without I/O: what a wish does to a learner in a course, or why not.

They are the rules of the HTTP API's create branch, with explicit options instead of `force_enrollment`; a mode that is
named and differs is applied, since who may publish commands is privileged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Outcome = Literal["enrolled", "unchanged", "unenrolled", "waiting", "rejected"]

DEFAULT_MODE: Final = "audit"

TEXTS: Final[Mapping[str, str]] = {
    "already_enrolled": "The learner is enrolled in this mode already.",
    "address_used": "An account that had this e-mail address before has used it for this course.",
    "attributes_missing": "Mode credit needs the attribute credit:provider_id beside the others.",
    "course_full": "No seat is left in this course.",
    "duplicate": "A later item of this command names the same learner and course.",
    "enrollment_closed": "The enrollment window of this course does not include this moment.",
    "invalid_course_id": "This is not a course key.",
    "invalid_email": "This is not an e-mail address.",
    "invitation_only": "This course takes invited learners only.",
    "malformed": "The item is not readable.",
    "mode_unavailable": "The course does not offer this mode now.",
    "no_account": "No account has this e-mail address yet; the learner is enrolled as soon as one has.",
    "not_enrolled": "The learner is not enrolled.",
    "superseded": "A command issued later was applied to this learner and course before.",
    "unknown_cohort": "The course has no cohort of this name.",
    "unknown_course": "No course has this id.",
    "unknown_external_key": "No account is linked to this external key.",
    "unknown_learner": "No account has this username.",
    "unknown_program": "No program has this uuid.",
}

# refusals that a fact on its way here could turn round: these items are tried again before they are rejected
DEFERRABLE: Final = frozenset(
    {"unknown_learner", "unknown_course", "mode_unavailable", "unknown_program", "unknown_external_key"}
)


@dataclass(frozen=True, slots=True)
class Options:
    """The checks to be left out. `any_mode`, also one the course does not offer, is nothing a command can ask for."""

    ignore_window: bool = False
    ignore_capacity: bool = False
    ignore_invitation: bool = False
    ignore_mode_expiry: bool = False
    any_mode: bool = False

    @property
    def any(self) -> bool:
        return (
            self.ignore_window
            or self.ignore_capacity
            or self.ignore_invitation
            or self.ignore_mode_expiry
            or self.any_mode
        )


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of a course, as far as it matters here."""

    n: int
    key: str
    capacity: int | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    invitation_only: bool
    has_allowed: bool
    modes: tuple[tuple[str, datetime | None], ...]

    def is_open(self, now: datetime) -> bool:
        """Inside the enrollment window."""
        started = self.enrollment_start is None or self.enrollment_start <= now
        return started and (self.enrollment_end is None or now < self.enrollment_end)

    def offers(self, mode: str, now: datetime, *, expired: bool) -> bool:
        """Whether the mode can be taken; a course without any mode left offers the default one."""
        slugs = [slug for slug, until in self.modes if expired or until is None or until > now]
        return mode in slugs if slugs else mode == DEFAULT_MODE

    def default_mode(self, now: datetime) -> str:
        """What a learner gets who asks for no mode."""
        slugs = {slug for slug, until in self.modes if until is None or until > now}
        return "honor" if "honor" in slugs and DEFAULT_MODE not in slugs else DEFAULT_MODE


@dataclass(slots=True)
class Learner:
    """An account, as far as it matters here."""

    user_id: int
    username: str
    email: str
    is_staff: bool


@dataclass(slots=True)
class Standing:
    """A learner's enrollment in a course as the decision finds it; version 0 when there is none."""

    version: int = 0
    mode: str | None = None
    is_active: bool | None = None
    commanded_at: datetime | None = None


@dataclass(slots=True)
class Seats:
    """A limited course's seats, counted down while the items of a batch are decided."""

    capacity: int
    taken: int
    delta: int = 0

    def take(self, *, anyway: bool) -> bool:
        if self.taken >= self.capacity and not anyway:
            return False
        self.taken += 1
        self.delta += 1
        return True

    def give_back(self) -> None:
        self.taken -= 1
        self.delta -= 1


@dataclass(slots=True)
class Place:
    """A learner and a course, with all that decides about the one in the other."""

    course: Course
    learner: Learner
    standing: Standing = field(default_factory=Standing)
    on_team: bool = False
    allowed_id: int | None = None
    allowed_to: int | None = None
    seats: Seats | None = None

    def closed_because(self, options: Options, now: datetime) -> str | None:
        """Why the learner may not enroll, None when they may."""
        if self.allowed_id is not None:
            if self.allowed_to in (None, self.learner.user_id):
                return None
            if not options.ignore_invitation:
                return "invitation_only"
        elif self.on_team or self.learner.is_staff:
            return None
        if self.course.invitation_only and not options.ignore_invitation:
            return "invitation_only"
        if not options.ignore_window and not self.course.is_open(now):
            return "enrollment_closed"
        return None


@dataclass(slots=True)
class Decision:
    """An item's outcome; with a mode, the row is to be written."""

    outcome: Outcome
    code: str | None = None
    mode: str | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. With `replaces`, an active enrollment in none of these modes keeps the mode it has."""

    mode: str | None = None
    is_active: bool = True
    attributes: tuple[tuple[str, str, str], ...] = ()
    options: Options = Options()
    replaces: frozenset[str] | None = None


def decide_enroll(wish: Wish, place: Place, *, now: datetime, issued_at: datetime) -> Decision:
    """What an enroll item does. Takes or gives back a seat when it says so."""
    standing, course = place.standing, place.course
    if standing.commanded_at is not None and issued_at < standing.commanded_at:
        return Decision("unchanged", "superseded")
    expired = wish.options.ignore_mode_expiry or not wish.is_active
    if standing.is_active and wish.is_active:
        mode = wish.mode or standing.mode or DEFAULT_MODE
        if mode == standing.mode or (wish.replaces is not None and standing.mode not in wish.replaces):
            return Decision("unchanged", "already_enrolled")
    else:
        mode = wish.mode or (standing.mode if standing.mode and not wish.is_active else course.default_mode(now))
    # who is left in the mode they have is not asked whether the course still offers it
    takes = wish.mode or (not standing.is_active and (wish.is_active or standing.mode is None))
    if takes and not wish.options.any_mode and not course.offers(mode, now, expired=expired):
        return Decision("rejected", "mode_unavailable")
    if mode == "credit" and wish.attributes and not any(a[:2] == ("credit", "provider_id") for a in wish.attributes):
        return Decision("rejected", "attributes_missing")
    if not wish.is_active:
        return _deactivate(place, mode)
    if not standing.is_active:
        if reason := place.closed_because(wish.options, now):
            return Decision("rejected", reason)
        counted = place.seats is not None and not place.on_team
        if counted and place.seats and not place.seats.take(anyway=wish.options.ignore_capacity):
            return Decision("rejected", "course_full")
    return Decision("enrolled", mode=mode, is_active=True)


def _deactivate(place: Place, mode: str) -> Decision:
    standing = place.standing
    if standing.version and not standing.is_active and standing.mode == mode:
        return Decision("unchanged", "not_enrolled")
    if standing.is_active and place.seats and not place.on_team:
        place.seats.give_back()
    return Decision("unenrolled", mode=mode, is_active=False)


def decide_unenroll(place: Place, *, issued_at: datetime) -> Decision:
    """What an unenroll item does. Gives back the seat of who had one."""
    standing = place.standing
    if standing.commanded_at is not None and issued_at < standing.commanded_at:
        return Decision("unchanged", "superseded")
    if not standing.is_active:
        return Decision("unchanged", "not_enrolled")
    return _deactivate(place, standing.mode or DEFAULT_MODE)
