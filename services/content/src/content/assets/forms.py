"""A multipart form whose file goes straight to a sink. Imported at the first form: the parser is not needed before."""

import sys
from collections.abc import Callable
from types import ModuleType

from content.assets.errors import BrokenForm, SeveralFiles, UnexpectedField

# The parser's package imports smart_open, for a target that is not used here, and smart_open imports every cloud SDK it
# finds: up to 25 MB and half a second. While the package is imported, an empty module stands in for it.
_stands_in = ModuleType("smart_open")
sys.modules.setdefault("smart_open", _stands_in)
from streaming_form_data import ParseFailedException, StreamingFormDataParser  # noqa: E402
from streaming_form_data.parser import UnexpectedPartException  # noqa: E402
from streaming_form_data.targets import BaseTarget  # noqa: E402

if sys.modules["smart_open"] is _stands_in:
    del sys.modules["smart_open"]

FILE_FIELD = "file"
Write = Callable[[bytes], None]


class _File(BaseTarget):  # type: ignore[misc]
    """The part that is the file."""

    def __init__(self, name_file: Callable[[str], None], write: Write) -> None:
        super().__init__()
        self._name_file, self._write = name_file, write
        self.starts = 0
        self.is_complete = False

    def on_start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise SeveralFiles
        self._name_file(self.multipart_filename or "")

    def on_data_received(self, chunk: bytes) -> None:
        self._write(chunk)

    def on_finish(self) -> None:
        self.is_complete = True


class FileForm:
    """Feed it the body, then ask for the content type of the file in it."""

    def __init__(
        self, content_type: str, *, name_file: Callable[[str], None], write: Write, only_file: bool = False
    ) -> None:
        """*name_file* hears the file's name before *write* its bytes. Raises `BrokenForm`."""
        try:
            self._parser = StreamingFormDataParser({"Content-Type": content_type}, strict=only_file)
        except (ParseFailedException, ValueError) as error:
            raise BrokenForm from error
        self._file = _File(name_file, write)
        self._parser.register(FILE_FIELD, self._file)

    def feed(self, data: bytes) -> None:
        """Raises `BrokenForm`, `SeveralFiles`, `UnexpectedField`, and what *write* raises."""
        try:
            self._parser.data_received(data)
        except UnexpectedPartException as error:
            raise UnexpectedField(str(error.part_name)) from error
        except (ParseFailedException, UnicodeError) as error:
            raise BrokenForm from error

    def finish(self) -> str | None:
        """What the part says its type is, or nothing; None when there is no file in the form. Raises `BrokenForm`."""
        if not self._file.starts:
            return None
        if not self._file.is_complete:
            raise BrokenForm
        return self._file.multipart_content_type or ""
