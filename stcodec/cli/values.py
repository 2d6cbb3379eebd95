"""Values of flags, as text and as numbers."""

from __future__ import annotations

import argparse
import re

from stcodec.errors import OptionsError


def bitrate_kbps(text: str) -> float:
    """ffmpeg's notation: 2500k, 2.5M, or plain bits a second. In kbit/s."""
    factor = {"k": 1.0, "m": 1000.0, "g": 1e6}.get(text[-1:].lower())
    number = text[:-1] if factor is not None else text
    try:
        return float(number) * (factor if factor is not None else 0.001)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no bitrate: write 2500k, 2.5M or 2500000") from None


def seconds(text: str) -> float:
    """A time as ffmpeg takes it, or in minutes or hours: 90, 90.5s, 500ms, 10m, 1h, 1:30, 00:01:30.5. In seconds."""
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?", text)
    if found is None or (found[4] and found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90, 500ms, 10m, 1:30 or 00:01:30.5")
    hours, minutes, rest = (float(one or 0) for one in found.groups()[:3])
    return (3600 * hours + 60 * minutes + rest) * {None: 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[4]]


def anchor(text: str) -> str | float:
    """attended, half, mean, or a number of QP steps."""
    if text in ("attended", "half", "mean"):
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are attended, half, mean or a number of QP steps") from None


def key_values(pairs: list[str], flag: str = "--opt", example: str = "tune=film") -> dict[str, str]:
    """key=value arguments of a flag as a dict. Raises OptionsError for one without "="."""
    for pair in pairs:
        if "=" not in pair or pair.startswith("="):
            raise OptionsError(f"{flag} {pair!r}: write key=value, for instance {flag} {example}", value=pair)
    return dict(pair.split("=", 1) for pair in pairs)


def area(text: str) -> int:
    """8192x4320, or a number of px. In px."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})|([1-9][0-9]{0,9})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no area: write 8192x4320, or a number of px")
    return min(int(found[3]) if found[3] else int(found[1]) * int(found[2]), 2**31 - 1)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are numbers from 1 on")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """The parts of a list with commas, empty ones left out."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def matching(flag: str, text: str, pattern: str, allowed: str) -> str:
    """The value of a flag that a pattern fits. Raises OptionsError."""
    if re.fullmatch(pattern, text) is None:
        raise OptionsError(f"{flag} {text!r}: allowed is {allowed}", value=text, allowed=allowed)
    return text
