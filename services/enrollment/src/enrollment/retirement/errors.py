"""What the retirement pipeline's call refuses; bare JSON strings, as upstream's."""

from common.errors import NotFound


class UsernameMissing(NotFound):
    """Username not specified."""

    def __init__(self) -> None:
        super().__init__(body="Username not specified.")


class NotRetiring(NotFound):
    """No retirement request status for username."""

    def __init__(self) -> None:
        super().__init__(body="No retirement request status for username.")
