"""What a thumbnail is called, and how it is drawn. No I/O beside reading the picture."""

import io
import struct
from pathlib import Path
from typing import Final

SIDE: Final = 128
JPEG: Final = "image/jpeg"
SVG: Final = "image/svg+xml"
# A picture is decoded whole before it shrinks: at four bytes a pixel this is what one may cost.
MAX_PIXELS: Final = 24_000_000
# Formats that Pillow decodes by itself; PostScript and its kin would start other programs.
_FORMATS: Final = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "ICO", "WEBP")


def is_drawn(content_type: str) -> bool:
    """Is the thumbnail of such a file a picture of its own? An SVG is its own thumbnail."""
    kind = _kind(content_type)
    return kind.startswith("image/") and kind != SVG


def is_its_own(content_type: str) -> bool:
    return _kind(content_type) == SVG


def thumbnail_name(name: str, content_type: str) -> str:
    """`a.jpg` → `a.jpg`, `a.png` → `a-png.jpg`, `a.svg` → `a.svg`."""
    stem, suffix = _split(name)
    if is_its_own(content_type):
        return f"{stem}.svg"
    return name if suffix == ".jpg" else f"{stem}{suffix.replace('.', '-')}.jpg"


def originals_of(name: str) -> list[str]:
    """Names of files that may have a thumbnail of this name, likeliest first."""
    stem, suffix = _split(name)
    found = [name]
    if suffix == ".jpg":
        before, dash, kind = stem.rpartition("-")
        if dash and before and kind:
            found.append(f"{before}.{kind}")
        found.append(stem)
    elif suffix == ".svg":
        found.append(stem)
    return found


def draw(source: Path | bytes) -> bytes | None:
    """A JPEG that fits 128 × 128; None when the bytes are no picture, or one too large to decode."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - 10 MB that most processes never need

    # also bounds pictures inside pictures (icons), whose size is known only when they are decoded
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.thumbnail((SIDE, SIDE))
            small = ImageOps.exif_transpose(picture)
            if small.has_transparency_data:
                small = small.convert("RGBA")
                ground = Image.new("RGBA", small.size, "white")
                small = Image.alpha_composite(ground, small)
            out = io.BytesIO()
            small.convert("RGB").save(out, "JPEG", quality=85)
    except (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        SyntaxError,
        EOFError,
        OverflowError,
        ZeroDivisionError,
        MemoryError,
        struct.error,
    ):
        # what a decoder may raise for bytes that are not what they claim to be
        return None
    return out.getvalue()


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _split(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix}") if dot and stem else (name, "")
