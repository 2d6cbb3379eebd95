"""The encoders that stcodec knows, a row each: how offsets reach them, and why they don't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stcodec.errors import OptionsError

ReadBack = Literal["bitstream", "effect"]


@dataclass(frozen=True)
class EncoderSpec:
    """One of ffmpeg's video encoders."""

    name: str
    """ffmpeg's name."""
    codec: str
    """What it writes: h264, hevc, vp9, av1."""
    block_px: int = 16
    """Side of the blocks that can have offsets of their own, px."""
    qp_range: float = 51.0
    """What a qoffset of 1 means, in QP steps of the H.26x scale on 8-bit video."""
    whole_units: int | None = None
    """The whole units of its own that the wrapper turns a qoffset into, cutting off; None if fractions count."""
    max_levels: int | None = None
    """Most distinct offsets in a frame, 0 among them; None = no limit."""
    crf_range: tuple[float, float] = (0.0, 51.0)
    default_crf: float | None = None
    """Given explicitly where the encoder would otherwise not run at constant quality."""
    usual_crf: float = 23.0
    """The encoder's own default."""
    searched_crf: tuple[float, float] = (10.0, 45.0)
    """Where a search for a quality looks."""
    presets: tuple[str, ...] = ()
    read_back: ReadBack = "effect"
    """"bitstream": per-block QP can be read from the finished file; "effect": only what the offsets did can be measured."""
    two_pass: bool = True
    pixel_formats: tuple[str, ...] = ()
    """Formats that can be encoded to, 8-bit 4:2:0 first."""
    containers: tuple[str, ...] = (".mp4", ".mkv", ".mov", ".m4v", ".ts")
    """File endings that take the codec."""
    min_side_px: int = 16
    """Smaller frames are refused: the encoder fails, or writes what can't be decoded."""

    @property
    def shifts_frames(self) -> bool:
        """Whether a constant added to all offsets shifts the QP of whole frames: not if few levels are left for it."""
        return self.max_levels is None


X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip

ENCODERS: dict[str, EncoderSpec] = {
    spec.name: spec
    for spec in (
        EncoderSpec(
            "libx264", "h264", presets=X26X_PRESETS, read_back="bitstream",
            pixel_formats=("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
                           "yuvj420p", "yuvj422p", "yuvj444p", "gray", "gray10le"),
        ),
        EncoderSpec(
            "libx265", "hevc", usual_crf=28.0, presets=X26X_PRESETS,
            pixel_formats=("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
                           "yuv420p12le", "yuv422p12le", "yuv444p12le", "gray", "gray10le", "gray12le"),
        ),
        EncoderSpec(
            "libvpx-vp9", "vp9", block_px=8, qp_range=38.0, whole_units=63, max_levels=8,
            crf_range=(0.0, 63.0), default_crf=32.0, usual_crf=32.0, searched_crf=(10.0, 60.0),
            presets=tuple(str(speed) for speed in range(5, 9)), read_back="bitstream", two_pass=False,
            pixel_formats=("yuv420p",), containers=(".webm", ".mkv", ".mp4"),
        ),
    )
}  # fmt: skip
"""Encoders that take per-block offsets, by name."""

_NO_CODE = "ffmpeg's wrapper has no code for QP offsets"
NO_WAY: dict[str, str] = {
    "libsvtav1": f"{_NO_CODE}, though SVT-AV1's library has a 64x64 map of its own (docs/encoders.md)",
    "libaom-av1": _NO_CODE,
    "librav1e": _NO_CODE,
    "libvvenc": _NO_CODE,
    "h264_nvenc": f"{_NO_CODE}, though NVENC has maps of its own",
    "hevc_nvenc": f"{_NO_CODE}, though NVENC has maps of its own",
    "av1_nvenc": f"{_NO_CODE}, though NVENC has maps of its own",
    "h264_amf": _NO_CODE,
    "hevc_amf": _NO_CODE,
    "av1_amf": _NO_CODE,
}
"""Encoders that ffmpeg gives no way to, with the reason. `stcodec doctor` tries those that run here."""

NOT_DRIVEN: dict[str, str] = {
    "libvpx": "VP8 takes 4 offset levels, libvpx-vp9 8",
    "libkvazaar": "it takes offsets from a file and at constant QP only",
    "h264_qsv": "it takes offsets on Intel hardware, which nobody has tried with stcodec",
    "hevc_qsv": "it takes offsets on Intel hardware, which nobody has tried with stcodec",
    "h264_vaapi": "it takes as many offsets as the driver does, which nobody has tried with stcodec",
    "hevc_vaapi": "it takes as many offsets as the driver does, which nobody has tried with stcodec",
}
"""Encoders that could take offsets but that this version does not drive, with the reason."""

_INSTEAD = {"264": "libx264", "vpx": "libvpx-vp9"}
_ALIASES = {"x264": "libx264", "h264": "libx264", "x265": "libx265", "hevc": "libx265", "vp9": "libvpx-vp9"}


def find_encoder(name: str) -> EncoderSpec:
    """The row of an encoder. Raises OptionsError, with what to use instead, for any other name."""
    if name in ENCODERS:
        return ENCODERS[name]
    known = ", ".join(ENCODERS)
    instead = next((ours for part, ours in _INSTEAD.items() if part in name), "libx265")
    if name in NO_WAY:
        raise OptionsError(f"{name} can't be given QP offsets: {NO_WAY[name]}. Use {instead}; allowed are {known}")
    if name in NOT_DRIVEN:
        raise OptionsError(f"{name} is not driven by this version: {NOT_DRIVEN[name]}. Use {instead}; allowed are {known}")
    hint = f"; did you mean {_ALIASES[name.lower()]}?" if name.lower() in _ALIASES else ""
    raise OptionsError(f"unknown encoder {name!r}: allowed are {known}{hint}")
