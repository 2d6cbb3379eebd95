"""x264. What its options do to offsets was read in its source and measured (tests/test_guards.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stcodec.encoders.encoder import CodedVideo
from stcodec.encoders.params import number
from stcodec.encoders.x26x import X26x, kept_on, nal_units

_SAME_HEADER = {"cabac": "1", "8x8dct": "1", "weightp": "1"}
_REFERENCES = {"faster": "2", "fast": "2", "medium": "3", "slow": "5", "slower": "8", "veryslow": "16", "placebo": "16"}
"""What the presets say in the header: an easier preset that says the same is one that no target must be told of."""


class X264(X26x):
    """H.264."""

    name = "libx264"
    changes_bitrate = True
    codec = "h264"
    matroska_id = "V_MPEG4/ISO/AVC"
    aliases = ("x264", "h264")
    stands_in_for = ("264",)
    signature = re.compile(rb"x264 - core (\d+[^-]*?) - ")
    params = "x264-params"
    parameter_lists = ("x264-params", "x264opts")
    tree = "mbtree"
    hdr_names = ("mastering-display", "cll")
    usual_crf = 23.0
    live_preset = "veryfast"
    trial_options = {"preset": "veryfast", "crf": "28"}  # noqa: RUF012
    offsets_on_interlaced = False
    interlacing_advice = "--opt flags=+ildct marks them"
    read_back = "against-plain"
    has_macroblocks = True
    pixel_formats = (
        "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
        "yuvj420p", "yuvj422p", "yuvj444p", "gray", "gray10le",
    )  # fmt: skip

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        seen = self.effective(options)
        qp = seen.get("qp", "-1")
        if not qp.startswith("-"):
            raise self.refusal(f"qp={qp}", "constant QP turns adaptive quantisation off", "use --crf")
        if bit_depth == 8 and number(seen.get("crf", "23")) < 1:
            raise self.refusal(f"crf={seen['crf']}", "below 1 it is lossless at 8 bits", "use --crf 1 or more")
        self.check_aq(seen)
        added, messages = kept_on(seen, {"preset": ("ultrafast",), "tune": ("psnr",)})
        return {**options, **added}, messages

    def for_pass(self, options: Mapping[str, str], number: int, stats: Path) -> dict[str, str]:
        return {**options, "flags": f"{options.get('flags', '')}+pass{number}", "stats": str(stats)}

    def with_key_frames_every(self, frames: int, extra: Mapping[str, str]) -> dict[str, str]:
        return {**extra, "sc_threshold": "0", "keyint_min": str(frames)}

    def header_params(self, preset: str, first_preset: str) -> dict[str, str]:
        return {} if preset == first_preset else {**_SAME_HEADER, "ref": _REFERENCES.get(first_preset, "1")}

    def playlist_codec(self, video: CodedVideo) -> str:
        sps = next((unit for unit in nal_units(video.extradata) if unit[0] & 0x1F == 7), b"\x67\x64\x00\x28")
        return f"avc1.{sps[1:4].hex()}"


ENCODER = X264()
