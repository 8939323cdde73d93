"""A multipart form whose file goes straight to the spool. Imported at the first form, see `receive_upload`."""

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from import_export.uploads.errors import BrokenForm, SeveralFiles
from import_export.uploads.operations import Spool

# The parser's package imports smart_open, for a target that is not used here, and smart_open imports every cloud SDK it
# finds: up to 25 MB and half a second. While the package is imported, an empty module stands in for it.
_stands_in = ModuleType("smart_open")
sys.modules.setdefault("smart_open", _stands_in)
from streaming_form_data import ParseFailedException, StreamingFormDataParser  # noqa: E402
from streaming_form_data.targets import BaseTarget  # noqa: E402

if sys.modules["smart_open"] is _stands_in:
    del sys.modules["smart_open"]

MAX_FIELD = 8 * 1024


class _File(BaseTarget):  # type: ignore[misc]
    """One of the names the archive may come under; they share the spool, so only one may be used."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self.starts = 0
        self.is_complete = False

    def on_start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise SeveralFiles

    def on_data_received(self, chunk: bytes) -> None:
        self._spool.write(chunk)

    def on_finish(self) -> None:
        self.is_complete = True


class _Field(BaseTarget):  # type: ignore[misc]
    """A short text."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.value: bytes | None = None

    def on_start(self) -> None:
        self.value = b""

    def on_data_received(self, chunk: bytes) -> None:
        self.value = (self.value or b"") + chunk
        if len(self.value) > MAX_FIELD:
            raise BrokenForm(f"The form field {self.name} is longer than {MAX_FIELD} bytes.")


class MultipartForm:
    """Feed it the body, then ask for the file's name and the fields."""

    def __init__(self, content_type: str, spool: Spool, *, files: Sequence[str], names: Sequence[str]) -> None:
        try:
            self._parser = StreamingFormDataParser({"Content-Type": content_type})
        except ParseFailedException as error:
            raise BrokenForm from error
        self._files = [_File(spool) for _ in files]
        self._fields = [_Field(name) for name in names]
        for name, target in zip(files, self._files, strict=True):
            self._parser.register(name, target)
        for field in self._fields:
            self._parser.register(field.name, field)

    def feed(self, data: bytes) -> None:
        """Raises `BrokenForm`, `SeveralFiles`, `UploadTooLarge`."""
        try:
            self._parser.data_received(data)
        except ParseFailedException as error:
            raise BrokenForm from error
        if sum(file.starts for file in self._files) > 1:
            raise SeveralFiles

    def finish(self) -> str | None:
        """The file's name, empty when the part has none; None when the form holds no file. Raises `BrokenForm`."""
        started = next((file for file in self._files if file.starts), None)
        if started is None:
            return None
        if not started.is_complete:
            raise BrokenForm
        return started.multipart_filename or ""

    def fields(self) -> Mapping[str, str]:
        return {
            field.name: field.value.decode("utf-8", "replace").strip()
            for field in self._fields
            if field.value is not None
        }
