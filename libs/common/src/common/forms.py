"""A multipart form whose file goes straight to a sink. Imported at the first form: the parser is not needed before."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Final

from common.uploads import BrokenForm, FormFile, SeveralFiles, UnexpectedPart, Write

# The parser's package imports smart_open, for a target that is not used here, and smart_open imports every cloud SDK it
# finds: up to 25 MB and half a second. While the package is imported, an empty module stands in for it.
_stands_in = ModuleType("smart_open")
sys.modules.setdefault("smart_open", _stands_in)
from streaming_form_data import ParseFailedException, StreamingFormDataParser  # noqa: E402
from streaming_form_data.parser import UnexpectedPartException  # noqa: E402
from streaming_form_data.targets import BaseTarget  # noqa: E402

if sys.modules["smart_open"] is _stands_in:
    del sys.modules["smart_open"]

MAX_FIELD: Final = 8 * 1024


class _File(BaseTarget):  # type: ignore[misc]
    """One of the names that the file may come under; they share the sink, so only one may be used."""

    def __init__(self, named: Callable[[str], None] | None, write: Write) -> None:
        super().__init__()
        self._named, self._write = named, write
        self.starts = 0
        self.is_complete = False

    def on_start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise SeveralFiles
        if self._named is not None:
            self._named(self.multipart_filename or "")

    def on_data_received(self, chunk: bytes) -> None:
        self._write(chunk)

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
    """Feed it the body, then ask for the file and the fields; `common.uploads.Form` says what is raised."""

    def __init__(
        self,
        content_type: str,
        write: Write,
        *,
        files: Sequence[str],
        fields: Sequence[str],
        named: Callable[[str], None] | None,
        only_file: bool,
    ) -> None:
        try:
            self._parser = StreamingFormDataParser({"Content-Type": content_type}, strict=only_file)
        except (ParseFailedException, ValueError) as error:
            raise BrokenForm from error
        self._files = [_File(named, write) for _ in files]
        self._fields = [_Field(name) for name in fields]
        for name, target in [*zip(files, self._files, strict=True), *((field.name, field) for field in self._fields)]:
            self._parser.register(name, target)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.data_received(data)
        except UnexpectedPartException as error:
            raise UnexpectedPart(str(error.part_name)) from error
        except (ParseFailedException, UnicodeError) as error:
            raise BrokenForm from error
        if sum(file.starts for file in self._files) > 1:
            raise SeveralFiles

    def finish(self) -> FormFile | None:
        started = next((file for file in self._files if file.starts), None)
        if started is None:
            return None
        if not started.is_complete:
            raise BrokenForm
        return FormFile(started.multipart_filename or "", started.multipart_content_type or "")

    def fields(self) -> Mapping[str, str]:
        return {
            field.name: field.value.decode("utf-8", "replace").strip()
            for field in self._fields
            if field.value is not None
        }
