"""Provenance of a result: versions, machine, the encoders inside the files."""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stcodec.encoders.table import ENCODERS, find_encoder
from stcodec.errors import StcodecError
from stcodec.media.ffmpeg import ffmpeg_version, find_ffmpeg
from stcodec.media.output import work_folder
from stcodec.metrics.jod import PACKAGES
from stcodec.pipeline.encode import encode
from stcodec.pipeline.summary import versions
from stcodec.work.workers import cores

_PACKAGES = ("bjontegaard", "opencv-python-headless", *(package for _, package in PACKAGES.values()))
_NOT_INSTALLED = "not installed"
_SEARCHED_BYTES = 1 << 18
_SIDE_PX = 64
_BLACK = (
    f"YUV4MPEG2 W{_SIDE_PX} H{_SIDE_PX} F25:1 Ip A1:1 C420\nFRAME\n".encode()
    + bytes(_SIDE_PX**2)
    + b"\x80" * (_SIDE_PX**2 // 2)
)
"""A video of one frame."""


def all_versions(encodes: Iterable[Path]) -> dict[str, str]:
    """Versions by name: libraries, programs, and the encoders that some files were made by."""
    found = {**versions(), **_packages(), "ffmpeg program": program_version()}
    for path in encodes:
        found |= {name: text for name, text in encoder_signature(path).items() if name not in found}
    return found


@functools.cache
def program_version() -> str:
    """The version of the ffmpeg program that scores; if there is none, why."""
    try:
        return ffmpeg_version(find_ffmpeg())
    except (StcodecError, OSError) as error:
        return str(error)


@functools.cache
def encoder_version(encoder: str) -> str:
    """Name and version that an encoder writes into a file, found by encoding one black frame; "" if it writes nothing.

    PyAV may use libraries of the system: its own version doesn't tell theirs. Raises what `encode` raises.
    """
    with work_folder() as folder:
        black, encoded = folder / "black.y4m", folder / "black.mkv"
        black.write_bytes(_BLACK)
        encode(black, encoded, encoder=encoder, crf=find_encoder(encoder).usual_crf, attention="none", verify=False)
        return " ".join(" ".join(item) for item in encoder_signature(encoded).items())


def encoder_signature(path: Path) -> dict[str, str]:
    """The encoder's name and version as it wrote them into a file; empty if it wrote none."""
    with path.open("rb") as file:
        start = file.read(_SEARCHED_BYTES)
    return {
        encoder.name.removeprefix("lib"): b" ".join(match.groups()).decode("ascii", "replace").strip()
        for encoder in ENCODERS.values()
        if encoder.signature is not None and (match := encoder.signature.search(start))
    }


def machine() -> dict[str, str]:
    """Kind of this machine."""
    return {"system": f"{platform.system()} {platform.machine()}", "processor": _processor(), "cores": str(cores())}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    return {name: found for name in _PACKAGES if (found := package_version(name)) != _NOT_INSTALLED}


def package_version(name: str) -> str:
    """The version of a Python package, or that it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return _NOT_INSTALLED
