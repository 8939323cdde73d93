"""Refusals about versions and edits."""

from common.errors import Conflict, Invalid, NotFound, PreconditionFailed


class VersionNotFound(NotFound):
    """There is no such version."""

    code = "version_not_found"


class CourseGone(NotFound):
    """Course not found."""

    code = "course_not_found"


class BlockUnknown(NotFound):
    """There is no such block in this branch."""

    code = "item_not_found"

    def __init__(self, block_id: str) -> None:
        self.block_id = block_id
        super().__init__(f"There is no block {block_id} in this branch.")


class StaleMatch(PreconditionFailed):
    """The version named in If-Match is not the current one."""

    code = "stale_version"


class VersionConflict(Conflict):
    """The version named in the address is not the current one."""

    code = "version_conflict"


class NeverPublished(Invalid):
    """This has never been published, so there is nothing to go back to."""

    code = "never_published"


class NowhereToGo(Invalid):
    """Where this was published is no more in the draft: discard the changes of what it belonged to."""

    code = "nowhere_to_go"


class ParentNotPublished(Invalid):
    """What this belongs to is not published yet: publish that first."""

    code = "parent_not_published"


class RootStays(Invalid):
    """The root of a course can be neither taken back nor taken away."""

    code = "root_stays"
