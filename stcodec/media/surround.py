"""Pictures of two eyes, and of all around: how a track says so."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from av.video.frame import VideoFrame

from stcodec.media.filters import split_chain
from stcodec.media.quicktime_keys import boxes_in
from stcodec.media.side_data import side_data

_KINDS = ("STEREO3D", "SPHERICAL")
_KEEPING = frozenset(("scale", "fps", "format", "bwdif"))
"""Filters that move nothing, though libavfilter takes some for the end of a projection."""
_MODES = {1: "left_right", 2: "top_bottom", 4: "checkerboard_lr", 6: "row_interleaved_lr", 7: "col_interleaved_lr"}
"""Matroska's StereoMode as its muxer calls it, by AVStereo3DType (stereo3d.h)."""
_OTHER_EYE_FIRST = {"left_right": "right_left", "top_bottom": "bottom_top"}
_ENTRIES = {b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8, b"stsd": 16}
"""Boxes that lead to sample entries, and where in each the boxes inside begin."""
_ENTRY_HEAD = 86
"""The same of a picture's sample entry."""
_INVERTED = 1
"""AV_STEREO3D_FLAG_INVERT."""


def surround_of(frame: VideoFrame) -> Mapping[str, bytes]:
    """A frame's AVStereo3D and AVSphericalMapping, by libavutil's names."""
    found = {name: side_data(frame, name) for name in _KINDS}
    return {name: content for name, content in found.items() if content is not None}


def keeps_surround(filters: str) -> bool:
    """Whether each eye, and each direction, is where it was behind a chain of filters."""
    return not filters or {name for name, _ in split_chain(filters)} <= _KEEPING


def stereo_mode(found: Mapping[str, bytes], container: str) -> str | None:
    """The value of Matroska's tag `stereo_mode` for what `surround_of` found; None if it has none, or the container."""
    if container not in ("matroska", "webm") or len(found.get("STEREO3D", b"")) < 8:
        return None
    kind, flags = struct.unpack_from("=ii", found["STEREO3D"])
    mode = _MODES.get(kind)
    if mode is None or (container == "webm" and mode not in _OTHER_EYE_FIRST):
        return None
    return _OTHER_EYE_FIRST.get(mode, mode.replace("_lr", "_rl")) if flags & _INVERTED else mode


def without_vexu(moov: bytes) -> bytes | None:
    """The content of an MP4's `moov` with Apple's boxes for two eyes made free space; None if there are none.

    libavformat writes them beside Google's, knows no packing that they could say, and reads them as "unspecified".
    """
    places = _vexu_places(moov, 0, len(moov))
    changed = bytearray(moov)
    for place in places:
        changed[place + 4 : place + 8] = b"free"
    return bytes(changed) if places else None


def _vexu_places(data: bytes, start: int, end: int, *, is_entry: bool = False) -> list[int]:
    """Where such boxes begin; is_entry: the boxes that lie there are sample entries."""
    found = []
    for at, until, name in boxes_in(data, start, end):
        if is_entry:
            found += [place for place, _, inner in boxes_in(data, at + _ENTRY_HEAD, until) if inner == b"vexu"]
        elif name in _ENTRIES:
            found += _vexu_places(data, at + _ENTRIES[name], until, is_entry=name == b"stsd")
    return found
