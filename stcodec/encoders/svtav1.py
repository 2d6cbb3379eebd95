"""AV1 by SVT-AV1. What its options do was read in libavcodec's source and measured (tests/test_svtav1.py)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stcodec.encoders.encoder import CodedVideo, Encoder
from stcodec.encoders.params import join_params, parse_params
from stcodec.errors import OptionsError

if TYPE_CHECKING:
    from stcodec.encoders.hdr import HdrMetadata

os.environ.setdefault("SVT_LOG", "1")  # errors only: the library writes to the terminal by itself

_PARAMS = "svtav1-params"
_CHROMA_UNIT = 50_000
_LUMINANCE_UNIT = 10_000
_SEQUENCE_HEADER = 1
"""obu_type of a sequence header (AV1 bitstream specification, 6.2.2)."""
_LEVEL_BIT = 24
"""Where seq_level_idx begins in a sequence header without timing information (5.5.1)."""


class SvtAv1(Encoder):
    """AV1."""

    name = "libsvtav1"
    codec = "av1"
    decoder = "libdav1d"
    aliases = ("svtav1", "svt-av1", "av1")
    stands_in_for = ("av1",)
    reads_side_data = False
    block_px = 64
    max_levels = 8
    crf_range = (1.0, 63.0)
    whole_crf = True
    usual_crf = 35.0
    searched_crf = (15.0, 60.0)
    presets = tuple(str(number) for number in range(-1, 14))
    live_preset = "10"
    trial_options = {"preset": "12", "crf": "40"}  # noqa: RUF012
    parameter_lists = (_PARAMS,)
    pixel_formats = ("yuv420p", "yuv420p10le")
    takes_odd_sizes = True
    containers = (".mp4", ".mkv", ".webm", ".m4v")

    def why_no_offsets(self) -> str:
        return "ffmpeg's wrapper has no code for QP offsets"

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        if why := self.why_no_offsets():
            raise OptionsError(f"{self.name} can't be given QP offsets here: {why}. Encode with --attention none")
        return dict(options), []

    def with_hdr(self, options: Mapping[str, str], hdr: HdrMetadata) -> tuple[dict[str, str], list[str]]:
        found = {}
        if hdr.mastering:
            found["mastering-display"] = _in_units(hdr.mastering)
        if hdr.light_level:
            found["content-light"] = hdr.light_level
        return with_params(options, {**found, **parse_params(options.get(_PARAMS, ""))}), []

    def on_threads(self, extra: Mapping[str, str], threads: int) -> dict[str, str]:
        return with_params(extra, {"lp": str(threads), **parse_params(extra.get(_PARAMS, ""))})

    def with_key_frames_every(self, frames: int, extra: Mapping[str, str]) -> dict[str, str]:
        return dict(extra)  # it places none of its own between those that are asked for

    def easier_presets(self, first: str) -> tuple[str, ...]:
        return self.presets[self.presets.index(first) + 1 :]

    def playlist_codec(self, video: CodedVideo) -> str:
        """AV1 codec ISO media file format binding, section 5, from the first operating point of the sequence header."""
        deep = 10 if "10" in video.pix_fmt else 8
        header = video.extradata
        if len(header) < 2 or (header[0] >> 3) & 0xF != _SEQUENCE_HEADER:
            return f"av01.0.08M.{deep:02d}"
        bits = "".join(f"{byte:08b}" for byte in header[2:])
        level = int(bits[_LEVEL_BIT : _LEVEL_BIT + 5], 2)
        tier = "H" if level > 7 and bits[_LEVEL_BIT + 5] == "1" else "M"
        return f"av01.{int(bits[:3], 2)}.{level:02d}{tier}.{deep:02d}"


def with_params(options: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
    """The options with these as the encoder's own."""
    return {**options, _PARAMS: join_params(params)} if params else dict(options)


def _in_units(mastering: str) -> str:
    """x265's way of writing a mastering display in coordinates and cd/m2, as SVT-AV1 reads it."""

    def scaled(match: re.Match[str]) -> str:
        unit = _LUMINANCE_UNIT if match[1] == "L" else _CHROMA_UNIT
        return f"{match[1]}({','.join(f'{int(number) / unit:.8g}' for number in match[2].split(','))})"

    return re.sub(r"([A-Z]+)\(([\d,]+)\)", scaled, mastering)


ENCODER = SvtAv1()
