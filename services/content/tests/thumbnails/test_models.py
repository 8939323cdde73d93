"""Thumbnails: their names, and what becomes of which bytes."""

import io
import struct
import zlib

import pytest
from PIL import Image

from content.thumbnails.models import draw, is_drawn, originals_of, thumbnail_name


@pytest.mark.parametrize(
    ("name", "content_type", "thumbnail"),
    [
        ("a.jpg", "image/jpeg", "a.jpg"),
        ("a.png", "image/png", "a-png.jpg"),
        ("a.jpeg", "image/jpeg", "a-jpeg.jpg"),
        ("a.b.png", "image/png", "a.b-png.jpg"),
        ("a", "image/png", "a.jpg"),
        (".png", "image/png", ".png.jpg"),
        ("a.svg", "image/svg+xml", "a.svg"),
        ("a", "image/svg+xml", "a.svg"),
    ],
)
def test_a_thumbnail_is_named_after_its_file_and_leads_back_to_it(name, content_type, thumbnail):
    assert thumbnail_name(name, content_type) == thumbnail
    assert name in originals_of(thumbnail)


@pytest.mark.parametrize(
    ("content_type", "drawn"),
    [("image/png", True), ("image/jpeg; x=y", True), ("image/svg+xml", False), ("text/plain", False), ("", False)],
)
def test_images_are_drawn(content_type, drawn):
    assert is_drawn(content_type) is drawn


def a_picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (400, 200)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 0).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode", "size", "small"),
    [
        ("PNG", "RGB", (400, 200), (128, 64)),
        ("PNG", "RGBA", (200, 400), (64, 128)),
        ("PNG", "P", (400, 400), (128, 128)),
        ("PNG", "1", (10, 5), (10, 5)),
        ("PNG", "I;16", (300, 300), (128, 128)),
        ("JPEG", "CMYK", (400, 200), (128, 64)),
        ("JPEG", "L", (2000, 1), (128, 1)),
        ("GIF", "P", (400, 200), (128, 64)),
        ("TIFF", "RGB", (400, 200), (128, 64)),
        ("BMP", "RGB", (400, 200), (128, 64)),
        ("ICO", "RGBA", (64, 64), (64, 64)),
        ("WEBP", "RGBA", (400, 200), (128, 64)),
    ],
)
def test_a_picture_becomes_a_jpeg_that_fits(kind, mode, size, small):
    made = draw(a_picture(kind, mode, size))
    assert made is not None
    with Image.open(io.BytesIO(made)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", small)


def test_what_is_clear_becomes_white():
    made = draw(a_picture("PNG", "RGBA"))
    assert made is not None
    with Image.open(io.BytesIO(made)) as picture:
        assert min(picture.getpixel((5, 5))) > 250


def test_a_picture_taken_sideways_stands_upright():
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200)).save(out, "JPEG", exif=exif)
    made = draw(out.getvalue())
    assert made is not None
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.size == (64, 128)


def a_png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG not really",
        a_picture("PNG")[:60],
        a_picture("JPEG")[:200],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        a_png_that_claims(5_000, 5_000),
        a_png_that_claims(60_000, 60_000),
        a_png_that_claims(2**31 - 1, 2**31 - 1),
    ],
    ids=["empty", "text", "magic-only", "cut-png", "cut-jpeg", "postscript", "svg", "bomb", "big-bomb", "giant-bomb"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bytes_that_are_no_picture_or_too_large_a_one_have_none(data):
    assert draw(data) is None
