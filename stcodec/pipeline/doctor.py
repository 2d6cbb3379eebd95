"""Examination of what works on this machine, by trying it."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version

from stcodec.attention import foreign_sources, open_source, source_names
from stcodec.attention.foreign import load_entry
from stcodec.attention.onnx import onnx_runtime
from stcodec.encoders.table import ENCODERS, NO_WAY, NOT_DRIVEN
from stcodec.encoders.trial import is_available, offsets_change_bits, program_changes_bits
from stcodec.errors import StcodecError
from stcodec.media.ffmpeg import ffmpeg_version, find_ffmpeg
from stcodec.media.packets import library_versions

_TRIED = {
    None: "it can't be run here",
    False: "tried here: the same bits with and without",
    True: "tried here: offsets DO change the bits; this build differs from ffmpeg as shipped",
}
_PACKAGES = ("av", "numpy", "opencv-python-headless", "imageio-ffmpeg", "onnxruntime")


def examine() -> dict[str, dict[str, str]]:
    """Sections of name: text. The text of an encoder that offsets reach begins with "ok"."""
    return {
        "encoders": {name: _open_encoder(name) for name in ENCODERS},
        "encoders that ffmpeg gives no way to": {name: _closed_encoder(name) for name in NO_WAY},
        "encoders not driven by this version": dict(NOT_DRIVEN),
        "attention": {name: _source(name) for name in source_names()},
        "ffmpeg": _ffmpeg(),
        "packages": {name: _package(name) for name in _PACKAGES},
    }


def _open_encoder(name: str) -> str:
    encoder = ENCODERS[name]
    if not is_available(name):
        return "missing from this build of PyAV"
    if why := encoder.why_no_offsets():
        return f"ok without attention: {encoder.codec}; it can't be given QP offsets: {why}"
    try:
        changes = not encoder.reads_side_data or offsets_change_bits(name, encoder.trial_options)
    except StcodecError as error:
        return f"failed: {error}"
    if not changes:
        return "failed: offsets change nothing" if changes is False else "failed: can't be opened"
    back = "read back from the file" if encoder.exports_qp else "measured by their effect"
    if encoder.read_back == "levels":
        back = f"their levels read back from the file's headers, {back}"
    levels = "any number of levels" if encoder.max_levels is None else f"{encoder.max_levels} levels"
    return f"ok: {encoder.codec}, {encoder.block_px} px blocks, {levels}; offsets tried here, {back}"


def _closed_encoder(name: str) -> str:
    encoder = NO_WAY[name]
    if is_available(name):
        return f"{encoder.why} ({_TRIED[offsets_change_bits(name, encoder.trial_options)]})"
    try:
        changes = program_changes_bits(find_ffmpeg(), name, encoder.trial_options)
    except StcodecError:
        changes = None
    return f"{encoder.why} (not in PyAV; the ffmpeg program: {_TRIED[changes]})"


def _source(name: str) -> str:
    """Sources that need no file are opened; of the others, what they need is loaded."""
    foreign = foreign_sources().get(name)
    try:
        if foreign is not None:
            load_entry(foreign)
        elif name.startswith("onnx:"):
            onnx_runtime()
        elif ":" not in name:
            open_source(name)
    except (StcodecError, ImportError) as error:
        return f"failed: {error}"
    return "ok"


def _ffmpeg() -> dict[str, str]:
    library = f"{library_versions()['ffmpeg']} in PyAV"
    try:
        program = find_ffmpeg()
        return {"library": library, "program": f"{ffmpeg_version(program)} ({program})"}
    except (StcodecError, OSError, subprocess.SubprocessError) as error:
        return {"library": library, "program": str(error)}


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
