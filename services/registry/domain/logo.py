"""Logos: what was uploaded is decoded under limits and drawn anew as a plain PNG, so nothing of the upload itself is ever served."""

import struct
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from services.registry.domain.errors import LogoTooLarge, LogoTooManyPixels, LogoTypeRefused, LogoUnreadable

MOST_BYTES: Final = 102_400
MOST_PIXELS: Final = 10_000_000
SIDE: Final = 512
"""A logo is kept with at most so many pixels a side: it is shown small, and 100 KB of JPEG can be 30 MB of PNG."""


def redrawn(upload: bytes) -> bytes:
    """The picture alone, as a PNG without metadata. Its bytes are the same for the same upload."""
    if len(upload) > MOST_BYTES:
        raise LogoTooLarge
    try:
        with Image.open(BytesIO(upload), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise LogoTooManyPixels
            picture = ImageOps.exif_transpose(image)
            picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except UnidentifiedImageError as wrong:
        raise LogoTypeRefused from wrong
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as wrong:
        raise LogoTooManyPixels from wrong
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, ArithmeticError, TypeError, struct.error) as wrong:
        raise LogoUnreadable from wrong
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    plain = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    out = BytesIO()
    plain.save(out, "PNG", optimize=False)
    return out.getvalue()
