"""What makes reading or writing stop."""

from olx.codes import REFUSAL_CODES


class ArchiveRefused(Exception):
    """The archive is not read at all; `code` says why, `member` where."""

    def __init__(self, code: str, message: str | None = None, member: str | None = None) -> None:
        self.code = code
        self.message = message or REFUSAL_CODES[code]
        self.member = member
        super().__init__(f"{code}: {self.message}" + (f" ({member})" if member else ""))


class UnwritableBlock(Exception):
    """A block cannot be written as OLX."""

    def __init__(self, block: str, reason: str) -> None:
        self.block = block
        self.reason = reason
        super().__init__(f"{block}: {reason}")
