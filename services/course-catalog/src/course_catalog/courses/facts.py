"""What content says about a course, read tolerantly: one odd setting must not keep a course out of the catalogue."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from common.keys import CourseKey
from common.values import in_utc

log = structlog.get_logger()

# what upstream's clients know as "no start date": shown in `start`, but with an empty `start_type`
NO_START = datetime(2030, 1, 1, tzinfo=UTC)
# The byte that stands for the base URL in a rendered item, and the one PostgreSQL cannot store: no text may have them.
BASE_MARK = "\x7f"
_LONGEST_LANGUAGE = 100
_UNSTORABLE = str.maketrans("", "", BASE_MARK + "\x00")

T = TypeVar("T")


def clean(text: str) -> str:
    """The text without the two characters that may not be in an item."""
    return text.translate(_UNSTORABLE)


def _or_unset(adapter: TypeAdapter[T], expected: str) -> Callable[[object], T | None]:
    def read(value: object) -> T | None:
        if value is None or value == "":
            return None
        try:
            return adapter.validate_python(value)
        except ValidationError:
            log.warning("unreadable_setting", value=repr(value)[:200], expected=expected)
            return None

    return read


def _instant(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else in_utc(moment)


_read_instant = _or_unset(TypeAdapter(Annotated[datetime, AfterValidator(_instant)]), "instant")
_read_bool = _or_unset(TypeAdapter(bool), "switch")
# a number that no column can hold limits nothing
_read_int = _or_unset(TypeAdapter(Annotated[int, Field(ge=-(2**31), lt=2**31)]), "number")


def _text(value: object) -> str | None:
    return None if value is None else clean(str(value))


def _language(value: object) -> str | None:
    """No language has a name that an index could not hold."""
    text = _text(value)
    return None if text is None or len(text) > _LONGEST_LANGUAGE else text


def _texts(value: object) -> dict[str, str]:
    return {clean(str(k)): clean(str(v)) for k, v in value.items() if v is not None} if isinstance(value, dict) else {}


Instant = Annotated[datetime | None, BeforeValidator(_read_instant)]
Text = Annotated[str | None, BeforeValidator(_text)]
Switch = Annotated[bool, BeforeValidator(lambda value: bool(_read_bool(value)))]
Whole = Annotated[int | None, BeforeValidator(_read_int)]
Language = Annotated[str | None, BeforeValidator(_language)]
CourseId = Annotated[str, AfterValidator(lambda text: CourseKey.parse(text).canonical)]
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]


class CourseSettings(BaseModel):
    """The explicit settings of the course's root block that the catalogue shows or passes on."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    display_name: Text = None
    start: Instant = None
    end: Instant = None
    enrollment_start: Instant = None
    enrollment_end: Instant = None
    advertised_start: Text = None
    self_paced: Switch = False
    mobile_available: Switch = False
    invitation_only: Switch = False
    max_student_enrollments_allowed: Whole = None
    catalog_visibility: Text = None
    visible_to_staff_only: Switch = False
    course_image: Text = None
    banner_image: Text = None
    language: Language = None
    display_organization: Text = None
    display_coursenumber: Text = None

    @property
    def start_at(self) -> datetime:
        return self.start or NO_START

    @property
    def visibility(self) -> str:
        return self.catalog_visibility or "both"

    def name(self, key: CourseKey) -> str:
        """The raw name; a course without one is called after its run."""
        return key.run.replace("_", " ") if self.display_name is None else self.display_name


class CourseFacts(BaseModel):
    """`content.course.created.v1` and `content.course.published.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    course_id: CourseId
    spelling: str | None = None
    version: int
    guid: str | None = None
    course: CourseSettings = CourseSettings()
    about: Texts = {}

    @property
    def key(self) -> CourseKey:
        return CourseKey.parse(self.course_id)

    @property
    def shown_id(self) -> str:
        return self.spelling or self.course_id


class CourseDeleted(BaseModel):
    """`content.course.deleted.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    course_id: CourseId
    version: int

    @property
    def key(self) -> CourseKey:
        return CourseKey.parse(self.course_id)
