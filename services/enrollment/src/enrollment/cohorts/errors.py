"""What the cohort API refuses, with upstream's texts and codes."""

from common.errors import Forbidden, Invalid, MethodNotAllowed, NotFound


class CourseMissing(NotFound):
    """Not found."""


class CohortMissing(NotFound):
    """Cohort (ID N) not found for C"""

    code = "cohort-not-found"

    def __init__(self, cohort_id: object, course_id: str) -> None:
        super().__init__(f"Cohort (ID {cohort_id}) not found for {course_id}")


class NotOnTeam(Forbidden):
    """You do not have permission to perform this action."""


class WrongEndpoint(MethodNotAllowed):
    """Please use the parent endpoint."""

    code = "wrong-endpoint"


class CohortIdMissing(MethodNotAllowed):
    """Request method requires cohort_id in path"""

    code = "missing-cohort-id"


class UsernameMissing(MethodNotAllowed):
    """Missing username in path"""

    code = "missing-username"


class NameMissing(Invalid):
    """ "name" must be specified to create cohort."""

    code = "missing-cohort-name"


class BadName(Invalid):
    """A cohort's name is a text of 1 to 255 characters."""

    code = "invalid-cohort-name"


class NameTaken(Invalid):
    """A cohort with the same name already exists."""

    code = "cohort-name-exists"


class BadAssignmentType(Invalid):
    """There is no such assignment type."""

    code = "invalid-assignment-type"

    def __init__(self, value: object) -> None:
        super().__init__(f"'{value}' is not valid assignment type.")


class FieldsMissing(Invalid):
    """Request must include name, assignment_type, and/or group_id."""

    code = "missing-fields"


class PartitionMissing(Invalid):
    """If group_id is specified, user_partition_id must also be specified."""

    code = "missing-user-partition-id"


class BadGroup(Invalid):
    """group_id and user_partition_id are whole numbers."""

    code = "invalid-group-id"


class BadOrdering(Invalid):
    """Invalid ordering value. Must be "asc" or "desc"."""

    code = "invalid-ordering-value"


class UsersMissing(Invalid):
    """Missing users key in payload"""

    code = "missing-users"


class TooManyUsers(Invalid):
    """At most 10000 users can be named in one request."""

    code = "too-many-users"


class UserMissing(NotFound):
    """User does not exist."""

    code = "user-not-found"


class NotInCohort(Invalid):
    """User not assigned to the given cohort."""

    code = "user-not-in-cohort"
