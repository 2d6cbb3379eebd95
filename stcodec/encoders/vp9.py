"""VP9 by libvpx. What its options do to offsets was read in libavcodec's source and measured (tests/test_guards.py)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stcodec.encoders.encoder import CodedVideo, Encoder
from stcodec.encoders.params import is_off
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import FloatArray

_QUANTISER_RUNS = (
    (4, 4, 1), (8, 102, 1), (104, 152, 2), (155, 203, 3), (207, 255, 4), (260, 305, 5), (311, 359, 6), (366, 408, 7),
    (416, 456, 8), (465, 510, 9), (520, 560, 10), (571, 615, 11), (627, 663, 12), (676, 715, 13), (729, 771, 14),
    (786, 816, 15), (832, 864, 16), (881, 915, 17), (933, 969, 18), (988, 1026, 19), (1046, 1066, 20), (1087, 1129, 21),
    (1151, 1173, 22), (1196, 1219, 23), (1243, 1267, 24), (1292, 1317, 25), (1343, 1369, 26), (1396, 1423, 27),
    (1451, 1479, 28), (1508, 1537, 29), (1567, 1597, 30), (1628, 1628, 31), (1660, 1692, 32), (1725, 1725, 33),
    (1759, 1793, 34), (1828, 1828, 35),
)  # fmt: skip
"""The AC quantiser of VP9's 256 indices (VP9 bitstream specification, ac_qlookup for 8 bits), as (first, last, step)."""
_LEVELS = (
    *((829_440, 10), (2_764_800, 11), (4_608_000, 20), (9_216_000, 21), (20_736_000, 30), (36_864_000, 31)),
    *((83_558_400, 40), (160_432_128, 41), (311_951_360, 50)),
)
"""Luma samples a second, at most, and the level that allows them."""
_NEEDED = {"deadline": ("realtime",), "quality": ("realtime",), "aq-mode": ("0", "none")}


class Vp9(Encoder):
    """VP9, whose wrapper takes offsets in real-time mode only."""

    name = "libvpx-vp9"
    codec = "vp9"
    matroska_id = "V_VP9"
    aliases = ("vp9",)
    stands_in_for = ("vpx", "vp9")
    block_px = 8
    qp_range = 38.0
    whole_units = 63
    max_levels = 8
    offsets_on_key_frames = False
    read_back = "against-frame"
    crf_range = (0.0, 63.0)
    whole_crf = True
    default_crf = 32.0
    usual_crf = 32.0
    searched_crf = (10.0, 60.0)
    presets = ("5", "6", "7", "8")
    preset_option = "cpu-used"
    live_preset = "8"
    trial_options = {"deadline": "realtime", "cpu-used": "8", "aq-mode": "0", "crf": "36"}  # noqa: RUF012
    pixel_formats = ("yuv420p",)
    takes_odd_sizes = True
    containers = (".webm", ".mkv", ".mp4")
    thread_type = "AUTO"

    def check(self, options: EncodeOptions) -> None:
        if options.two_pass:
            raise OptionsError(
                f"{self.name} takes offsets in real-time mode, which has no second pass: leave --two-pass out"
            )
        if options.keyint == 1 and options.attention != "none":
            raise OptionsError(
                f"keyint is 1: {self.name} takes no offsets on key frames, so that all would be lost; use 2 or more"
            )

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        for key, allowed in _NEEDED.items():
            if key in options and options[key] not in allowed:
                raise self.refusal(f"{key}={options[key]}", "it needs real-time mode without AQ", f"use {allowed[0]}")
        speeds = [options[key] for key in ("cpu-used", "speed") if key in options] or ["5"]
        for speed in speeds:
            if not speed.isdigit() or int(speed) < 5:
                raise self.refusal(f"cpu-used={speed}", "it needs 5 or more", "use --preset 5 to 8")
        if not is_off({"lossless": "0", **options}, "lossless"):
            raise self.refusal("lossless=1", "there is nothing to quantise", "use --crf")
        message = f"{self.name} takes offsets in real-time mode only: deadline=realtime, aq-mode=0, and none on key frames"
        return {**options, "deadline": "realtime", "aq-mode": "0", "cpu-used": speeds[0]}, [message]

    def live_options(self, extra: Mapping[str, str], bitrate_kbps: float, preset: str, first_preset: str) -> dict[str, str]:
        return {"lag-in-frames": "0", "auto-alt-ref": "0", "minrate": f"{bitrate_kbps * 1000:.0f}", **extra}

    def easier_presets(self, first: str) -> tuple[str, ...]:
        return self.presets[self.presets.index(first) + 1 :]

    def playlist_codec(self, video: CodedVideo) -> str:
        """The VP codec ISO media file format binding; the level (its annex) is the smallest for the size and rate."""
        deep = 8 if "10" not in video.pix_fmt and "12" not in video.pix_fmt else 10
        profile = (0 if "420" in video.pix_fmt or not video.pix_fmt else 1) + (2 if deep > 8 else 0)
        samples = video.width_px * video.height_px * float(video.frame_rate or 30)
        level = next((name for most, name in _LEVELS if samples <= most), 51)
        return f"vp09.{profile:02d}.{level}.{deep:02d}"

    def qp_limits(self, bit_depth: int) -> tuple[float, float]:
        low, high = self.qp_steps(np.array([0, 255], np.int32))
        return float(low), float(high)

    def qp_steps(self, exported: NDArray[np.int32]) -> FloatArray:
        """6 steps for each doubling of the quantiser."""
        return (6 * np.log2(quantisers()[np.clip(exported, 0, 255)])).astype(np.float32)


def quantisers() -> FloatArray:
    """[256] AC quantiser by index."""
    return np.concatenate([np.arange(first, last + 1, step) for first, last, step in _QUANTISER_RUNS]).astype(np.float32)


ENCODER = Vp9()
