"""Logos, and files that only look like one."""

import io
import struct
import zlib

from PIL import Image

SCRIPT = b"\x89PNG\r\n\x1a\n<script>alert(document.domain)</script>"
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def png(size: int | None = None) -> bytes:
    """A picture; of exactly this many bytes, when that is asked for: a private chunk, which decoders pass over, fills it up."""
    plain = _encoded("PNG")
    if size is None:
        return plain
    content = b"\0" * (size - len(plain) - 12)
    chunk = struct.pack(">I", len(content)) + b"fiLl" + content + struct.pack(">I", zlib.crc32(b"fiLl" + content))
    return plain[:-12] + chunk + plain[-12:]


def jpeg() -> bytes:
    """A photograph."""
    return _encoded("JPEG")


def _encoded(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "#2b4fd8").save(out, form)
    return out.getvalue()
