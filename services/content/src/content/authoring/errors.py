"""Refusals of the authoring handlers, in upstream's words where clients match on them."""

from common.errors import Conflict, Forbidden, Invalid, NotFound


class InvalidData(Invalid):
    """Invalid data"""

    code = "invalid_data"

    def __init__(self, details: str | None = None) -> None:
        super().__init__(f"Invalid data ({details})" if details else None)


class FieldRequired(Invalid):
    """This field is required."""

    code = "required"


class ConcurrentAuthors(Invalid):
    """Invalid data, possibly caused by concurrent authors."""

    code = "concurrent_authors"


class LocationUnknown(NotFound):
    """Can't find item by location."""

    code = "item_not_found"

    def __init__(self, location: object) -> None:
        shown = str(location)
        super().__init__(f"Can't find item by location: {shown if len(shown) <= 1000 else shown[:1000] + '…'}")


class TextRefusal(Invalid):
    """A refusal that Studio gives as plain text."""


class OnlyCreation(TextRefusal):
    """Only instance creation is supported without a usage key."""

    code = "usage_key_required"


class NotForLibraries(TextRefusal):
    """This category is not supported for Libraries."""

    code = "category_not_supported"

    def __init__(self, category: str) -> None:
        super().__init__(f"Category '{category}' not supported for Libraries")


class LibraryFull(Invalid):
    """Libraries cannot have more components than that."""

    code = "library_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"Libraries cannot have more than {most} components")


class ClipboardEmpty(Invalid):
    """Your clipboard is empty or invalid."""

    code = "clipboard_empty"


class NoPatch(Invalid):
    """Patch request did not recognise any parameters to handle."""

    code = "nothing_to_patch"


class MoveRefused(Invalid):
    """This cannot be moved there."""

    code = "move_refused"


class BranchNeeded(Invalid):
    """A version alone does not say which branch to write: name the course, or the course and its branch."""

    code = "insufficient_specification"


class PublishedIsDerived(Invalid):
    """The published branch is written by publishing: change the draft, and publish it."""

    code = "published_branch"


class NameAmbiguous(Conflict):
    """Several blocks have this name: say which type is meant."""

    code = "block_name_ambiguous"


class HasChildren(Conflict):
    """This has children: delete it with recurse=true."""

    code = "has_children"


class StaffOnly(Forbidden):
    """Only global staff may do this."""

    code = "staff_required"


class TreeTooDeep(Invalid):
    """A block cannot be that many levels deep."""

    code = "too_deep"
