"""What is refused because of whom a request names."""

from typing import ClassVar

from common.errors import NotFound


class UserNotFound(NotFound):
    """User matching query does not exist."""

    code: ClassVar[str] = "user_not_found"
