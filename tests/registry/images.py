"""Images of every kind that somebody may upload."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

SCRIPT = b"<script>alert(1)</script><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", colour: Any = (200, 30, 60), **options: Any) -> bytes:
    """An image of one colour."""
    out = BytesIO()
    Image.new(mode, size, colour).save(out, kind, **options)
    return out.getvalue()


def of_bytes(length: int) -> bytes:
    """A right PNG of exactly this many bytes."""
    image = picture()
    return image + b"\0" * (length - len(image))


def talkative() -> bytes:
    """A JPEG that tells where and by whom it was taken."""
    exif = Image.Exif()
    exif[0x010E] = "taken-at-home"
    exif[0x0112] = 6  # turned by 90 degrees
    return picture("JPEG", exif=exif, comment=b"taken-by-me")


def annotated() -> bytes:
    """A PNG with text in it."""
    text = PngInfo()
    text.add_text("Author", "taken-by-me")
    text.add_itxt("XML:com.adobe.xmp", "<x>taken-at-home</x>")
    return picture(pnginfo=text)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header claims this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb(width: int, height: int) -> bytes:
    """A right PNG of one bit a pixel, all of them black: few bytes, many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    lines = zlib.compress(b"\0" * (height * ((width + 7) // 8 + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with compressed text that grows to 64 MB."""
    image = picture()
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 64_000_000, 9))
    return image[:33] + text + image[33:]


BROKEN: dict[str, bytes] = {
    "a header that promises too many bytes": claiming(64, 48, zlib.compress(b"\0" * 10)),
    "cut in the middle": picture("JPEG", (400, 400))[:-600],
    "a PNG cut in the middle": picture(size=(400, 400), mode="RGB")[:-40],
    "data that is no deflate": claiming(64, 48, b"\xff" * 100),
    "no size": claiming(0, 0),
    "text that grows": text_bomb(),
}
OTHERS: dict[str, bytes] = {
    "nothing": b"",
    "a GIF": picture("GIF"),
    "a WebP": picture("WEBP"),
    "a BMP": picture("BMP"),
    "a TIFF": picture("TIFF"),
    "an icon": picture("ICO"),
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "a script": SCRIPT,
    "a script behind the first bytes of a PNG": b"\x89PNG\r\n\x1a\n" + SCRIPT,
    "a PDF": b"%PDF-1.7\n",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}
BOMBS: dict[str, bytes] = {
    "just over the cap": bomb(10_001, 1_000),
    "over Pillow's warning": bomb(10_000, 9_500),
    "over Pillow's error": claiming(60_000, 60_000),
    "over everything": claiming(2**31 - 1, 2**31 - 1),
}
POLYGLOTS: dict[str, bytes] = {
    "a script behind a PNG": picture() + SCRIPT,
    "a script behind a JPEG": picture("JPEG") + SCRIPT,
    "a script in a comment": picture("JPEG", comment=SCRIPT),
    "a zip behind a PNG": picture() + b"PK\x05\x06" + b"\0" * 18,
}
