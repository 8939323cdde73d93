"""What a bulk call refuses: a serializer's lists of messages by field."""

from collections.abc import Mapping, Sequence

from common.errors import Invalid


class BulkInvalid(Invalid):
    """The request is not valid."""

    code = "invalid_request"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__(body={**{name: list(texts) for name, texts in fields.items()}, "error_code": self.code})
