"""What the enrollment API refuses, with upstream's texts and a machine-readable code beside them."""

from common.errors import Forbidden, Invalid, NotAcceptable, NotFound, Refusal, Unauthorized


class CredentialsMissing(Unauthorized):
    """Authentication credentials were not provided."""

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'JWT realm="api"'})


class Hidden(NotFound):
    """Not found."""

    def __init__(self) -> None:
        """An empty body: whether the learner exists is nobody's business but the learner's."""
        super().__init__(body="")


class CourseIdMissing(Invalid):
    """Course ID must be specified to create a new enrollment."""

    code = "course_id_missing"


class CourseNotFound(Invalid):
    """No course 'X' found for enrollment"""

    code = "course_not_found"

    def __init__(self, course_id: str) -> None:
        super().__init__(f"No course '{course_id}' found for enrollment")


class CourseUnknown(NotFound):
    """Not found."""


class CourseDetailsNotFound(Invalid):
    """No course found for course ID 'X'"""

    code = "course_not_found"

    def __init__(self, course_id: str) -> None:
        super().__init__(f"No course found for course ID '{course_id}'")


class EmailNotFound(NotAcceptable):
    """The user with the email address E does not exist."""

    code = "user_not_found"

    def __init__(self, email: str) -> None:
        super().__init__(f"The user with the email address {email} does not exist.")


class UserNotFound(NotAcceptable):
    """The user U does not exist."""

    code = "user_not_found"

    def __init__(self, username: str) -> None:
        super().__init__(f"The user {username} does not exist.")


class ModeNotPermitted(Forbidden):
    """User does not have permission to create enrollment with mode [M]."""

    code = "mode_not_permitted"

    def __init__(self, mode: str) -> None:
        super().__init__(f"User does not have permission to create enrollment with mode [{mode}].")


class Embargoed(Forbidden):
    """Users from this location cannot access the course 'C'."""

    code = "embargoed"

    def __init__(self, course_id: str, page: str) -> None:
        super().__init__(f"Users from this location cannot access the course '{course_id}'.", user_message_url=page)


class InvalidActivation(Invalid):
    """'x' is an invalid enrollment activation status."""

    code = "invalid_activation_status"

    def __init__(self, value: object) -> None:
        super().__init__(f"'{value}' is an invalid enrollment activation status.")


class InvalidForce(Invalid):
    """'x' is an invalid force enrollment status."""

    code = "invalid_force_enrollment"

    def __init__(self, value: object) -> None:
        super().__init__(f"'{value}' is an invalid force enrollment status.")


class ModeMismatch(Invalid):
    """Enrollment mode mismatch: active mode=A, requested mode=B. Won't deactivate."""

    code = "mode_mismatch"

    def __init__(self, active: str, requested: str) -> None:
        text = f"Enrollment mode mismatch: active mode={active}, requested mode={requested}. Won't deactivate."
        super().__init__(text)


class AttributesMissing(Invalid):
    """Missing enrollment attributes: requested mode=credit required attributes=['credit:provider_id']"""

    code = "attributes_missing"


class AttributeInvalid(Invalid):
    """An enrollment attribute needs a namespace, a name and a value."""

    code = "attribute_invalid"

    def __init__(self, missing: str) -> None:
        text = f"'{missing}' not in enrollment attribute"
        super().__init__(text, localizedMessage=text)


class ModeUnavailable(Invalid):
    """The [M] course mode is expired or otherwise unavailable for course run [C]."""

    code = "mode_unavailable"

    def __init__(self, mode: str | None, course_id: str, course_details: object) -> None:
        text = f"The [{mode}] course mode is expired or otherwise unavailable for course run [{course_id}]."
        super().__init__(text, course_details=course_details)


class NotEnrolled(Invalid):
    """An error occurred while creating the new course enrollment for user 'U' in course 'C'"""

    def __init__(self, username: str, course_id: str, *, code: str) -> None:
        """One text for a closed, a full and an invitation-only course; the code tells them apart."""
        text = (
            f"An error occurred while creating the new course enrollment for user '{username}' in course '{course_id}'"
        )
        super().__init__(text, code=code)


class CohortNotFound(Invalid):
    """An error occured while adding to cohort [NAME]"""

    code = "cohort_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"An error occured while adding to cohort [{name}]")


class BadCountries(Invalid):
    """`blocked` and `allowed` are lists of two-letter country codes."""

    code = "bad_countries"


class RolesUnavailable(Invalid):
    """An error occurred while retrieving roles for user 'U'"""

    code = "roles_unavailable"

    def __init__(self, username: str) -> None:
        super().__init__(f"An error occurred while retrieving roles for user '{username}'")


class BadFilter(Invalid):
    """A filter of the enrollment list is not valid."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__("", field_errors={field: {"developer_message": text}})


class TooBusy(Refusal):
    """Too many changes of this enrollment at the same moment; try again."""

    status = 503
    code = "too_busy"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})
