"""Whole numbers as base62 text of a fixed width, whose order as text is their order as numbers."""

from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGIT: Final = {character: value for value, character in enumerate(ALPHABET)}
PAIRS: Final = tuple(high + low for high in ALPHABET for low in ALPHABET)  # two digits at a time halve the divisions of a long number


def encode(value: int, width: int) -> str:
    """Write `value` in exactly `width` characters. Raises `ValueError` when it is negative or does not fit."""
    if value < 0:
        raise ValueError("base62 holds no negative number")
    pieces: list[str] = []
    rest = value
    for _ in range(width // 2):
        rest, pair = divmod(rest, 3844)
        pieces.append(PAIRS[pair])
    if width % 2:
        rest, digit = divmod(rest, 62)
        pieces.append(ALPHABET[digit])
    if rest:
        raise ValueError(f"{value} does not fit into {width} base62 characters")
    pieces.reverse()
    return "".join(pieces)


def decode(text: str) -> int:
    """Read what `encode` wrote. Raises `ValueError` for an empty text or a character outside 0-9A-Za-z."""
    if not text:
        raise ValueError("an empty text is no base62 number")
    value = 0
    for character in text:
        digit = _DIGIT.get(character)
        if digit is None:
            raise ValueError(f"{character!r} is no base62 character")
        value = value * 62 + digit
    return value
