"""Programs as the API shows them and as they are announced: nested ones whole, deleted ones gone."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from course_catalog.events import (
    AnnouncedCurriculum,
    AnnouncedOrganization,
    AnnouncedProgram,
    AnnouncedProgramCourse,
    AnnouncedRun,
    ProgramState,
)
from course_catalog.programs.models import ProgramCourse, Record
from course_catalog.programs.schemas import ProgramOut

Known = Mapping[UUID, Record]


def announced(record: Record, known: Known, keys: Sequence[str]) -> AnnouncedProgram:
    state = _state(record, known)
    return AnnouncedProgram(
        **{name: getattr(state, name) for name in ProgramState.model_fields},
        version=record.version,
        deleted=record.deleted,
        course_run_keys=list(keys),
    )


def _state(record: Record, known: Known) -> ProgramState:
    return ProgramState(
        uuid=record.uuid,
        title=record.title,
        type=record.type,
        marketing_slug=record.marketing_slug,
        status=record.status,
        authoring_organizations=[
            AnnouncedOrganization(uuid=each.uuid, key=each.key, name=each.name) for each in record.organizations
        ],
        courses=_courses(record.courses),
        curricula=[
            AnnouncedCurriculum(
                uuid=each.uuid,
                name=each.name,
                is_active=each.is_active,
                courses=_courses(each.courses),
                programs=[_state(known[child], known) for child in each.programs if child in known],
            )
            for each in record.curricula
        ],
    )


def _courses(courses: Iterable[ProgramCourse]) -> list[AnnouncedProgramCourse]:
    return [
        AnnouncedProgramCourse(
            uuid=course.uuid,
            key=course.key,
            title=course.title,
            course_runs=[AnnouncedRun(**run.model_dump()) for run in course.course_runs],
        )
        for course in courses
    ]


def shown(record: Record, known: Known) -> ProgramOut:
    """The record that clients read."""
    return ProgramOut.model_validate(_shown(record, known))


def _shown(record: Record, known: Known) -> dict[str, object]:
    return {
        "uuid": record.uuid,
        "title": record.title,
        "type": record.type,
        "type_attrs": record.type_attrs,
        "marketing_slug": record.marketing_slug,
        "status": record.status,
        "authoring_organizations": [each.model_dump() for each in record.organizations],
        "courses": [course.model_dump() for course in record.courses],
        "curricula": [
            each.model_dump(exclude={"programs"})
            | {"programs": [_shown(known[child], known) for child in each.programs if child in known]}
            for each in record.curricula
        ],
    }
