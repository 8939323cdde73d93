"""What the programs API refuses."""

from typing import ClassVar

from common.errors import Conflict, Invalid, NotFound


class ProgramNotFound(NotFound):
    """No program has this uuid."""

    code: ClassVar[str] = "program_not_found"


class ProgramExists(Conflict):
    """There is a program with this uuid already."""

    code: ClassVar[str] = "program_exists"


class UnknownNested(Invalid):
    """A curriculum names a program that does not exist."""

    code: ClassVar[str] = "unknown_nested_program"


class NestedInItself(Invalid):
    """A program cannot be a part of itself, not by way of others either."""

    code: ClassVar[str] = "nested_in_itself"
