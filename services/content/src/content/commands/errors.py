"""Why a command is rejected. The docstring is the answer's message, `code` its machine-readable reason."""


class Rejected(Exception):
    """The command is rejected."""

    code = "rejected"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((self.__doc__ or "").split()))


class Expired(Rejected):
    """The command came after its own expiry."""

    code = "expired"


class CommandIdReused(Rejected):
    """This command id was used for another command."""

    code = "command_id_reused"


class BadSnapshot(Rejected):
    """The snapshot is not one this service can read."""

    code = "snapshot_invalid"


class SnapshotMissing(Rejected):
    """The snapshot that the command refers to is not in the blob store."""

    code = "snapshot_missing"


class AssetMissing(Rejected):
    """The bytes of an asset are not in the blob store."""

    code = "asset_missing"


class StaleHead(Rejected):
    """The course changed after the head that the command names."""

    code = "stale_head"


class CourseUnknown(Rejected):
    """Course not found."""

    code = "not_found"


class VersionUnknown(Rejected):
    """This course has no such version."""

    code = "version_not_found"


class NothingThere(Rejected):
    """Nothing of this course is published."""

    code = "not_published"


class NotPermitted(Rejected):
    """The requesting user does not have course author permissions."""

    code = "permission_denied"


class NameNotFree(Rejected):
    """Another course reads the same when its organization, number and run are written with dots between them."""

    code = "course_name_taken"


class NotACourse(Rejected):
    """This is not the key of a course run or a library."""

    code = "bad_course_key"


class UserUnknown(Rejected):
    """No account has this username."""

    code = "unknown_user"
