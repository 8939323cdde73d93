"""Reading the blocks API's query string, with upstream's words for what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import QueryParams

from common.errors import Invalid

_BOOLEANS = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False, "": None}
_RETURN_TYPES = ("dict", "list")


class BadParameters(Invalid):
    """The request is not valid."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("", field_errors={name: {"developer_message": text} for name, text in errors.items()})


class BadParameter(Invalid):
    """A parameter without which nothing can be said."""


@dataclass(slots=True)
class BlocksQuery:
    """What the client wants to know of each block, and how deep."""

    username: str | None = None
    all_blocks: bool = False
    depth: int | None = 0
    nav_depth: int | None = None
    requested_fields: frozenset[str] = frozenset()
    block_counts: tuple[str, ...] = ()
    student_view_data: frozenset[str] = frozenset()
    block_types_filter: frozenset[str] = frozenset()
    return_type: str = "dict"
    errors: dict[str, str] = field(default_factory=dict)

    def refuse(self) -> None:
        """Raises `BadParameters` when anything was wrong."""
        if self.errors:
            raise BadParameters(self.errors)


def read_blocks_query(query: QueryParams) -> BlocksQuery:
    """Never raises: what is wrong is kept, because who may ask at all is decided first."""
    found = BlocksQuery(username=query.get("username"))
    all_blocks = query.get("all_blocks", "")
    if all_blocks not in _BOOLEANS:
        found.errors["all_blocks"] = "Invalid Boolean Value."
    found.all_blocks = bool(_BOOLEANS.get(all_blocks))
    found.depth = _depth(query.get("depth", ""), found.errors)
    found.nav_depth = _nav_depth(query.get("nav_depth", ""), found.errors)
    requested = _names(query, "requested_fields", found.errors)
    found.block_counts = _names(query, "block_counts", found.errors)
    found.student_view_data = frozenset(_names(query, "student_view_data", found.errors))
    found.block_types_filter = frozenset(_names(query, "block_types_filter", found.errors))
    implied = {
        "student_view_data": bool(found.student_view_data),
        "block_counts": bool(found.block_counts),
        "nav_depth": found.nav_depth is not None,
        "block_types_filter": bool(found.block_types_filter),
    }
    found.requested_fields = frozenset(
        {"type", "display_name", *requested, *(name for name, given in implied.items() if given)}
    )
    found.return_type = query.get("return_type") or "dict"
    if found.return_type not in _RETURN_TYPES:
        found.errors["return_type"] = f"Select a valid choice. {found.return_type} is not one of the available choices."
    return found


def _depth(text: str, errors: dict[str, str]) -> int | None:
    """None means all the way down."""
    if text == "all":
        return None
    if text == "":
        return 0
    try:
        depth = int(text)
    except ValueError:
        depth = -1
    if depth < 0:
        errors["depth"] = f"'{text}' is not a valid depth value."
        return 0
    return depth


def _nav_depth(text: str, errors: dict[str, str]) -> int | None:
    if text == "":
        return None
    try:
        depth = int(text)
    except ValueError:
        errors["nav_depth"] = "Enter a whole number."
        return None
    if depth < 0:
        errors["nav_depth"] = "Ensure this value is greater than or equal to 0."
        return None
    return depth


def _names(query: QueryParams, name: str, errors: dict[str, str]) -> tuple[str, ...]:
    """Values of all repetitions, split on commas; in order, each once."""
    given = query.getlist(name)
    if not given:
        return ()
    parts = [part.strip() for part in ",".join(given).split(",")]
    if not all(parts):
        errors[name] = "This field cannot be empty."
    return tuple(dict.fromkeys(part for part in parts if part))
