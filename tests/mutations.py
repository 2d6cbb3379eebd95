"""Damage to files, as disks, networks and attackers do it; the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]
_LENGTHS = (0, 1, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 64) - 1)
_WORDS = (b"0", b"-1", b"nan", b"inf", b"-inf", b"1e400", b"99999999999999999999", b"", b"x", b"\xff", b"\0", b"\x1b[31m")


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 64))):
        changed[_place(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: _place(content, rng)]


def change_length(content: bytes, rng: random.Random) -> bytes:
    """A number somewhere becomes one from the edges of its range, or is off by a little."""
    size = rng.choice((1, 2, 4, 4, 8))
    order = rng.choice(("big", "little"))
    place = max(0, min(_place(content, rng), len(content) - size))
    old = int.from_bytes(content[place : place + size], "big")
    new = rng.choice((*_LENGTHS, old + 1, old - 1, old * 2, old + 256)) % (1 << 8 * size)
    return content[:place] + new.to_bytes(size, "little" if order == "little" else "big") + content[place + size :]


def swap_pieces(content: bytes, rng: random.Random) -> bytes:
    first, second, third = sorted(_place(content, rng) for _ in range(3))
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def repeat_piece(content: bytes, rng: random.Random) -> bytes:
    first, second = sorted(_place(content, rng) for _ in range(2))
    times = rng.choice((2, 3, 20)) if second - first < 10_000 else 2
    return content[:first] + content[first:second] * times + content[second:]


def remove_piece(content: bytes, rng: random.Random) -> bytes:
    first = _place(content, rng)
    return content[:first] + content[first + rng.choice((1, 4, 188, 1000)) :]


def insert_noise(content: bytes, rng: random.Random) -> bytes:
    place = _place(content, rng)
    return content[:place] + rng.randbytes(rng.choice((1, 4, 188, 1000))) + content[place:]


def change_words(content: bytes, rng: random.Random) -> bytes:
    """Of text: some of the numbers become others, or none."""
    share = rng.choice((0.01, 0.1, 1.0))
    return re.sub(rb"-?\d+(\.\d+)?", lambda found: rng.choice(_WORDS) if rng.random() < share else found[0], content)


BINARY: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    change_length,
    change_length,
    swap_pieces,
    repeat_piece,
    remove_piece,
    insert_noise,
)
TEXT: tuple[Mutation, ...] = (change_words, change_words, flip_bits, truncate, repeat_piece, remove_piece, insert_noise)


def _place(content: bytes | bytearray, rng: random.Random) -> int:
    """Anywhere, and as often as not in the head, where the lengths are."""
    end = max(1, len(content))
    return rng.randrange(end if rng.random() < 0.5 else min(end, 600))
