"""Options as encoders read them."""

from __future__ import annotations

from collections.abc import Mapping

FALSE = {"0", "false", "no", "none", "off", "disabled"}
"""What means no."""


def parse_params(text: str) -> dict[str, str]:
    """A list of key=value:key=value, as x264 and x265 take it; a bare key means 1."""
    pairs = (part.split("=", 1) for part in text.split(":") if part)
    return {pair[0].strip(): pair[1].strip() if len(pair) == 2 else "1" for pair in pairs}


def join_params(params: Mapping[str, str]) -> str:
    """The inverse of `parse_params`."""
    return ":".join(f"{key}={value}" for key, value in params.items())


def is_off(options: Mapping[str, str], key: str) -> bool:
    """Whether an option is given and switches something off."""
    value = options.get(key, "1")
    return value.lower() in FALSE or number(value) == 0


def number(text: str) -> float:
    """NaN if it is none; "0x0" is one to ffmpeg and to the encoders."""
    for read in (float, float.fromhex):
        try:
            return read(text)
        except (ValueError, OverflowError):
            continue
    return float("nan")
