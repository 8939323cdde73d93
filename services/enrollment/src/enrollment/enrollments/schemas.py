"""Bodies of the enrollment API: the documented shapes, and the reader of the POST in upstream's order of refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from common.errors import Refusal
from common.identity import Caller
from common.keys import CourseKey, InvalidKey
from enrollment.enrollments.errors import (
    AttributeInvalid,
    CourseIdMissing,
    CourseNotFound,
    Hidden,
    InvalidActivation,
    InvalidForce,
    ModeNotPermitted,
)

FREE_MODES = frozenset({"audit", "honor"})
CREDIT_ATTRIBUTE = ("credit", "provider_id")
_MAX_ATTRIBUTE = 255


class ModeOut(BaseModel):
    """A mode the course offers."""

    slug: str
    name: str
    min_price: int
    suggested_prices: str
    currency: str
    expiration_datetime: datetime | None
    description: str | None
    sku: str | None
    bulk_sku: str | None


class CourseDetailsOut(BaseModel):
    """The course half of an enrollment."""

    course_id: str
    course_name: str
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    course_start: datetime | None
    course_end: datetime | None
    invite_only: bool
    course_modes: list[ModeOut]
    pacing_type: Literal["Self Paced", "Instructor Paced"]


class EnrollmentOut(BaseModel):
    """One learner's enrollment in one course."""

    created: datetime
    mode: str
    is_active: bool
    course_details: CourseDetailsOut
    user: str


class EnrollmentRow(BaseModel):
    """One line of the staff list."""

    created: datetime
    mode: str
    is_active: bool
    user: str
    course_id: str


class EnrollmentPage(BaseModel):
    """A page of the staff list, newest first."""

    next: str | None
    previous: str | None
    results: list[EnrollmentRow]


class RoleOut(BaseModel):
    """One of the caller's roles in a course."""

    org: str
    course_id: str
    role: str


class RolesOut(BaseModel):
    """The caller's course roles."""

    roles: list[RoleOut]
    is_staff: bool


class AttributeIn(BaseModel):
    """A named value kept with an enrollment."""

    namespace: str
    name: str
    value: str


class CourseRef(BaseModel):
    """Which course."""

    course_id: str


class NewEnrollment(BaseModel):
    """What a POST says; only `course_details.course_id` is required."""

    course_details: CourseRef
    user: str | None = None
    email: str | None = None
    mode: str | None = None
    is_active: bool | None = None
    enrollment_attributes: list[AttributeIn] | None = None
    email_opt_in: bool | None = None
    cohort: str | None = None
    force_enrollment: bool | None = None
    enterprise_uuid: str | None = None
    linked_enterprise_customer: str | None = None


class EmbargoIn(BaseModel):
    """Countries (ISO 3166 alpha-2) that may not enroll; with `allowed`, only those may."""

    model_config = ConfigDict(extra="forbid")

    blocked: list[str] = []
    allowed: list[str] = []


class EmbargoOut(EmbargoIn):
    """The lists of one course."""

    course_id: str


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """A POST as the statement takes it, after the refusals that need no facts."""

    course_id: str
    course_key: str
    username: str | None
    email: str | None
    mode: str | None
    is_active: bool | None
    caller: Caller
    forced: bool
    late: Refusal | None
    attributes: tuple[tuple[str, str, str], ...]
    attributes_sent: bool
    attribute_error: AttributeInvalid | None
    cohort: str | None
    email_opt_in: bool | None
    country: str | None
    enterprise: str | None

    @property
    def privileged(self) -> bool:
        return self.caller.is_staff or self.caller.api_key

    @property
    def has_credit_provider(self) -> bool:
        return any(entry[:2] == CREDIT_ATTRIBUTE for entry in self.attributes)


def read_enrollment(body: object, caller: Caller, *, country: str | None) -> EnrollmentRequest:
    """The request a POST body makes. Raises the refusals of steps 1 to 5; those of 8 and 10 wait in `late`."""
    fields: Mapping[str, object] = body if isinstance(body, dict) else {}
    course_id = _course_id(fields)
    try:
        key = CourseKey.parse(course_id)
    except InvalidKey as error:
        raise CourseNotFound(course_id) from error
    privileged = caller.is_staff or caller.api_key
    username, email = _target(fields, caller, privileged=privileged)
    mode = None if fields.get("mode") is None else str(fields["mode"])
    if mode is not None and not privileged and mode not in FREE_MODES:
        raise ModeNotPermitted(mode)
    is_active, forced, late = _flags(fields)
    attributes, attribute_error = read_attributes(fields.get("enrollment_attributes"))
    linked = _text(fields.get("linked_enterprise_customer")) if caller.api_key else None
    opt_in = fields.get("email_opt_in")
    return EnrollmentRequest(
        course_id=course_id,
        course_key=key.canonical,
        username=username,
        email=email,
        mode=mode,
        is_active=is_active,
        caller=caller,
        forced=forced and caller.is_staff,
        late=late,
        attributes=() if attribute_error else attributes,
        attributes_sent=bool(fields.get("enrollment_attributes")),
        attribute_error=attribute_error,
        # upstream stops at a bad attribute: neither cohort nor opt-in is looked at
        cohort=None if attribute_error else _text(fields.get("cohort")),
        email_opt_in=None if opt_in is None or attribute_error else _truth(opt_in),
        country=country,
        enterprise=_text(fields.get("enterprise_uuid")) or linked,
    )


def _course_id(fields: Mapping[str, object]) -> str:
    details = fields.get("course_details")
    course_id = details.get("course_id") if isinstance(details, dict) else None
    if not course_id:
        raise CourseIdMissing
    return str(course_id)


def _target(fields: Mapping[str, object], caller: Caller, *, privileged: bool) -> tuple[str | None, str | None]:
    """(username, None) or (None, e-mail): who is to be enrolled. Only oneself, unless privileged."""
    username, email = _text(fields.get("user")), _text(fields.get("email"))
    if username:
        if username != caller.username and not privileged:
            raise Hidden
        return username, None
    if email:
        if not privileged:
            raise Hidden
        return None, email
    return caller.username or "", None


def _flags(fields: Mapping[str, object]) -> tuple[bool | None, bool, Refusal | None]:
    """(is_active, force, refusal): strictly booleans, but refused only after user and embargo were looked at."""
    active, force = fields.get("is_active"), fields.get("force_enrollment")
    if active is not None and not isinstance(active, bool):
        return None, False, InvalidActivation(active)
    if force is not None and not isinstance(force, bool):
        return active, False, InvalidForce(force)
    return active, bool(force), None


def read_attributes(value: object) -> tuple[tuple[tuple[str, str, str], ...], AttributeInvalid | None]:
    """The attributes, a later one of a name instead of an earlier; or what is wrong with the first bad one."""
    if value is None or value == []:
        return (), None
    if not isinstance(value, list):
        return (), AttributeInvalid("value")
    found: dict[tuple[str, str], str] = {}
    for entry in value:
        texts = []
        for part in ("namespace", "name", "value"):
            text = entry.get(part) if isinstance(entry, dict) else None
            if text is None or len(str(text)) > _MAX_ATTRIBUTE:
                return (), AttributeInvalid(part if isinstance(entry, dict) else "value")
            texts.append(str(text))
        found[texts[0], texts[1]] = texts[2]
    return tuple((*name, text) for name, text in found.items()), None


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _truth(value: object) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "1", "yes")
