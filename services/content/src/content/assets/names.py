"""What an uploaded file is called: the key its name gives, or why it gives none. No I/O."""

import mimetypes
import re
import unicodedata
from typing import Final

from common.keys import clean_asset_name
from content.assets.errors import BadFileName

MAX_NAME: Final = 255  # bytes: what an archive's member may be called
_CONTENT_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?:; ?charset=[A-Za-z0-9_-]{1,40})?"
)
UNKNOWN: Final = "application/octet-stream"


def name_of(filename: str) -> str:
    """One `_` for each `/` and each character that a key may not hold. Raises `BadFileName`."""
    name = clean_asset_name(normal_name(filename))
    if not name.strip("."):
        raise BadFileName("The file has no name that it could be kept under.")
    if len(name.encode()) > MAX_NAME:
        raise BadFileName(f"The file's name is longer than {MAX_NAME} bytes.")
    return name


def display_name_of(filename: str) -> str:
    """The name as people see it: printable, on one line, and no path."""
    kept = "".join(character if character.isprintable() else "_" for character in normal_name(filename))
    return re.sub(r"[/\\]", "_", kept).strip() or name_of(filename)


def content_type_of(said: str, name: str, *, guess: bool = False) -> str:
    """What the client says it is; what says nothing useful is, where *guess*, told from the name."""
    if _CONTENT_TYPE.fullmatch(said) and not (guess and said == UNKNOWN):
        return said
    if guess:
        return mimetypes.guess_type(name, strict=False)[0] or UNKNOWN
    return UNKNOWN


def normal_name(filename: str) -> str:
    """Text that can be stored, its letters in one form however they were put together."""
    # lone surrogates can come from broken escapes, and cannot be stored
    return unicodedata.normalize("NFC", filename.encode("utf-8", "replace").decode())
