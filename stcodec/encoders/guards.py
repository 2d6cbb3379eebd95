"""Options with which an encoder drops the offsets without a word: refused, or repaired with a message.

What each does was read in x264's, x265's and libavcodec's source and measured: tests/test_guards.py encodes with every one
of them and looks at the effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stcodec.errors import OptionsError

_ALIASES = {"qpmin": "qmin", "qpmax": "qmax", "qp-min": "qmin", "qp-max": "qmax"}
_NEGATED = re.compile(r"no-?(.+)")
"""x264 and x265 read "no-mbtree=1" and "nombtree=1" as "mbtree=0"."""
_BETWEEN_TUNES = re.compile(r"[,./+-]")
"""What x264 takes between several tunes."""
_FALSE = {"0", "false", "no", "none", "off", "disabled"}
_GENTLE_AQ = {"aq-mode": "1", "aq-strength": "0.01"}
"""Adaptive quantisation that is on, so that offsets count, and so weak that it changes nothing by itself."""


def parse_params(text: str) -> dict[str, str]:
    """x264's and x265's key=value:key=value lists; a bare key means 1."""
    pairs = (part.split("=", 1) for part in text.split(":") if part)
    return {pair[0].strip(): pair[1].strip() if len(pair) == 2 else "1" for pair in pairs}


def join_params(params: Mapping[str, str]) -> str:
    """The inverse of `parse_params`."""
    return ":".join(f"{key}={value}" for key, value in params.items())


def _effective(options: Mapping[str, str], params_names: tuple[str, ...]) -> dict[str, str]:
    """Options of ffmpeg's wrapper and of the encoder's own list under one spelling; the own list wins, as in ffmpeg."""
    merged = {key.replace("_", "-"): value for key, value in options.items() if key not in params_names}
    for key in ("aq-mode", "aq-strength"):
        if merged.get(key, "").startswith("-"):
            del merged[key]  # the wrapper's word for "the encoder's default"
    for name in params_names:
        for key, value in parse_params(options.get(name, "")).items():
            plain, meant = key.replace("_", "-"), value
            negated = _NEGATED.fullmatch(plain)
            if negated:
                plain, meant = negated[1], "1" if value.lower() in _FALSE else "0"
            merged[_ALIASES.get(plain, plain)] = meant
    return merged


def _is_off(options: Mapping[str, str], key: str) -> bool:
    value = options.get(key, "1")
    return value.lower() in _FALSE or _number(value) == 0


def _number(text: str) -> float:
    """NaN if it is none; "0x0" is one to ffmpeg and to both encoders."""
    for read in (float, float.fromhex):
        try:
            return read(text)
        except (ValueError, OverflowError):
            continue
    return float("nan")


def _refuse(encoder: str, setting: str, why: str, instead: str) -> OptionsError:
    return OptionsError(
        f"{encoder} with {setting} drops the QP offsets silently ({why}): {instead}, or encode with --attention none"
    )


def guard_x264(options: Mapping[str, str], bit_depth: int = 8) -> tuple[dict[str, str], list[str]]:
    """Options to add so that libx264 keeps the offsets, and what to tell the user. Raises OptionsError if none would do."""
    seen = _effective(options, ("x264-params", "x264opts"))
    qp = seen.get("qp", "-1")
    if not qp.startswith("-"):
        raise _refuse("libx264", f"qp={qp}", "constant QP turns adaptive quantisation off", "use --crf")
    if bit_depth == 8 and _number(seen.get("crf", "23")) < 1:
        raise _refuse("libx264", f"crf={seen['crf']}", "below 1 it is lossless at 8 bits", "use --crf 1 or more")
    _check_aq("libx264", seen, "mbtree")
    losing = _first(seen, {"preset": ("ultrafast",), "tune": ("psnr",)})
    if losing is None or "aq-mode" in seen:
        return {}, []
    return dict(_GENTLE_AQ), [_kept_on(losing)]


def guard_x265(options: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The same for libx265; what is to be added goes into x265-params."""
    seen = _effective(options, ("x265-params",))
    for key, why, instead in (
        ("qp", "constant QP turns adaptive quantisation off", "use --crf"),
        ("lossless", "there is nothing to quantise", "use --crf"),
        ("hevc-aq", "it replaces the adaptive quantisation that carries the offsets", "use aq-mode"),
    ):
        if key in seen and (key == "qp" or not _is_off(seen, key)) and not seen[key].startswith("-"):
            raise _refuse("libx265", f"{key}={seen[key]}", why, instead)
    _check_aq("libx265", seen, "cutree")
    wanted = {} if "qg-size" in seen else {"qg-size": "16"}
    messages = []
    if seen.get("qg-size") in ("32", "64"):
        messages.append(f"qg-size={seen['qg-size']} averages the offsets over {seen['qg-size']}x{seen['qg-size']} px")
    # tune=psnr leaves it on, but at strength 0, which counts as off without cutree.
    losing = _first(seen, {"preset": ("ultrafast", "superfast"), "tune": ("grain", "psnr")})
    if losing is not None and "aq-mode" not in seen:
        wanted |= _GENTLE_AQ
        messages.append(_kept_on(losing))
    return wanted, messages


def _check_aq(encoder: str, seen: Mapping[str, str], tree: str) -> None:
    """Raise OptionsError if adaptive quantisation is off or has nothing to choose from."""
    if _is_off(seen, "aq-mode"):
        raise _refuse(encoder, "aq-mode=0", "offsets ride on adaptive quantisation", "leave aq-mode out")
    if _number(seen.get("aq-strength", "1")) <= 0:
        # Presets, tunes, the lookahead and keyint=1 turn the tree off too, so that nobody can tell.
        why = f"it turns adaptive quantisation off wherever {tree} is off"
        raise _refuse(encoder, f"aq-strength={seen['aq-strength']}", why, "use aq-strength=0.01")
    if "qmin" in seen and seen["qmin"] == seen.get("qmax"):
        why = "it leaves a single QP to choose from"
        raise _refuse(encoder, f"qmin=qmax={seen['qmin']}", why, "leave room between the two")


def guard_vp9(options: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The same for libvpx-vp9: the wrapper takes offsets in real-time mode only."""
    needed = {"deadline": ("realtime",), "quality": ("realtime",), "aq-mode": ("0", "none")}
    for key, allowed in needed.items():
        if key in options and options[key] not in allowed:
            raise _refuse("libvpx-vp9", f"{key}={options[key]}", "it needs real-time mode without AQ", f"use {allowed[0]}")
    speeds = [options[key] for key in ("cpu-used", "speed") if key in options] or ["5"]
    for speed in speeds:
        if not speed.isdigit() or int(speed) < 5:
            raise _refuse("libvpx-vp9", f"cpu-used={speed}", "it needs 5 or more", "use --preset 5 to 8")
    if not _is_off({"lossless": "0", **options}, "lossless"):
        raise _refuse("libvpx-vp9", "lossless=1", "there is nothing to quantise", "use --crf")
    message = "libvpx-vp9 takes offsets in real-time mode only: deadline=realtime, aq-mode=0, and none on key frames"
    return {"deadline": "realtime", "aq-mode": "0", "cpu-used": speeds[0]}, [message]


def _first(seen: Mapping[str, str], losing: Mapping[str, tuple[str, ...]]) -> str | None:
    """The first setting, as "key=value", that is one of those or names one of them among others."""
    for key, values in losing.items():
        if not set(values).isdisjoint(_BETWEEN_TUNES.split(seen.get(key, ""))):
            return f"{key}={seen[key]}"
    return None


def _kept_on(losing: str) -> str:
    return f"{losing} turns adaptive quantisation off: kept on at strength 0.01 to carry the offsets"
