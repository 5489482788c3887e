"""S17–S19 and the corpus of logos: what is kept is a picture and nothing else."""

import warnings
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

from services.registry.domain.errors import LogoTooLarge, LogoTooManyPixels, LogoTypeRefused, LogoUnreadable
from services.registry.domain.logo import MOST_BYTES, MOST_PIXELS, SIDE, redrawn
from tests.registry.images import BOMBS, BROKEN, OTHERS, POLYGLOTS, SCRIPT, annotated, bomb, of_bytes, picture, talkative

pytestmark = pytest.mark.slow  # it draws pictures


@pytest.fixture(autouse=True)
def bomb_warnings_are_errors() -> Iterator[None]:
    """As wiring makes them in a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def shown(png: bytes) -> Image.Image:
    """What a browser would show."""
    image = Image.open(BytesIO(png), formats=("PNG",))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_s18_png_and_jpeg_are_kept_as_png(kind: str) -> None:
    image = shown(redrawn(picture(kind)))
    assert (image.size, image.mode) == ((64, 48), "RGB")
    assert all(abs(is_ - was) < 4 for is_, was in zip(image.getpixel((5, 5)), (200, 30, 60), strict=True))  # type: ignore[arg-type]  # an RGB pixel is a tuple


@pytest.mark.parametrize(("mode", "colour"), [("L", 90), ("1", 1), ("P", 7), ("LA", (90, 128)), ("RGBA", (1, 2, 3, 128)), ("I;16", 40_000)])
def test_s18_every_kind_of_png(mode: str, colour: object) -> None:
    assert shown(redrawn(picture("PNG", mode=mode, colour=colour))).mode == ("RGBA" if mode.endswith("A") else "RGB")


def test_s18_a_jpeg_of_print_colours() -> None:
    assert shown(redrawn(picture("JPEG", mode="CMYK", colour=(0, 255, 0, 0)))).mode == "RGB"


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_s18_anything_else_is_refused_by_its_bytes(content: bytes) -> None:
    with pytest.raises(LogoTypeRefused):
        redrawn(content)


def test_s19_102400_bytes_pass_and_102401_fail() -> None:
    assert redrawn(of_bytes(MOST_BYTES))
    with pytest.raises(LogoTooLarge):
        redrawn(of_bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_images_are_refused(content: bytes) -> None:
    with pytest.raises((LogoUnreadable, LogoTypeRefused)):
        redrawn(content)


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_before_they_are_decoded(content: bytes) -> None:
    with pytest.raises(LogoTooManyPixels):
        redrawn(content)


def test_a_large_picture_is_shown_small() -> None:
    assert MOST_PIXELS == 10_000 * 1_000
    assert shown(redrawn(bomb(10_000, 1_000))).size == (SIDE, SIDE // 10)


@pytest.mark.parametrize("content", POLYGLOTS.values(), ids=POLYGLOTS)
def test_nothing_but_the_picture_is_kept(content: bytes) -> None:
    png = redrawn(content)
    assert SCRIPT not in png
    assert b"PK" not in png
    assert png.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("content", [talkative(), annotated()])
def test_metadata_is_not_kept(content: bytes) -> None:
    png = redrawn(content)
    assert b"taken" in content
    assert b"taken" not in png
    assert not shown(png).info


def test_a_turned_photograph_is_shown_upright() -> None:
    assert shown(redrawn(talkative())).size == (48, 64)


def test_the_same_upload_gives_the_same_bytes() -> None:
    assert redrawn(talkative()) == redrawn(talkative())
