"""A multipart form whose field `file` goes straight to the spool. Imported at the first form."""

import sys
from types import ModuleType

from enrollment.jobs.errors import BadFile
from enrollment.jobs.uploads import Spool

# The parser's package imports smart_open for a target that is not used here, and that imports every cloud SDK it finds.
_stands_in = ModuleType("smart_open")
sys.modules.setdefault("smart_open", _stands_in)
from streaming_form_data import ParseFailedException, StreamingFormDataParser  # noqa: E402
from streaming_form_data.targets import BaseTarget  # noqa: E402

if sys.modules["smart_open"] is _stands_in:
    del sys.modules["smart_open"]


class _File(BaseTarget):  # type: ignore[misc]
    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self.starts, self.is_complete = 0, False

    def on_start(self) -> None:
        self.starts += 1

    def on_data_received(self, chunk: bytes) -> None:
        self._spool.write(chunk)

    def on_finish(self) -> None:
        self.is_complete = True


class FileForm:
    """Feed it the body, then ask for the file's name and media type."""

    def __init__(self, content_type: str, spool: Spool) -> None:
        """Raises `ValueError` for a content type without a boundary."""
        try:
            self._parser = StreamingFormDataParser({"Content-Type": content_type})
        except ParseFailedException as error:
            raise ValueError(content_type) from error
        self._file = _File(spool)
        self._parser.register("file", self._file)

    def feed(self, data: bytes) -> None:
        """Raises `BadFile`, `FileTooLarge`."""
        try:
            self._parser.data_received(data)
        except ParseFailedException as error:
            raise BadFile("The form cannot be read.") from error
        if self._file.starts > 1:
            raise BadFile("The form has several files.")

    def finish(self) -> tuple[str, str] | None:
        """None when the form holds no file. Raises `BadFile` for one that was cut short."""
        if not self._file.starts:
            return None
        if not self._file.is_complete:
            raise BadFile("The form ends in the middle of its file.")
        return self._file.multipart_filename or "", self._file.multipart_content_type or ""
