"""AV1 by SVT-AV1. What its options do was read in libavcodec's source and measured (tests/test_svtav1.py).

Without offsets it is PyAV's encoder. With them the same library is driven directly (svt_library.py), with what ffmpeg's
wrapper would have set; PyAV's encoder is opened beside it for the header alone, and never sees a frame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from stcodec.encoders import svt_library
from stcodec.encoders.encoder import CodedVideo, Driver, Encoder
from stcodec.encoders.params import is_off, join_params, parse_params
from stcodec.encoders.svt_library import Segments, SvtEncoder
from stcodec.encoders.vp9 import quantisers
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import BlockGrid, FloatArray

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext

    from stcodec.encoders.hdr import HdrMetadata

os.environ.setdefault("SVT_LOG", "1")  # errors only: the library writes to the terminal by itself

_PARAMS = "svtav1-params"
_TAKEN = ("crf", "qp", "preset", "threads", "flags", _PARAMS)
"""Options of ffmpeg's wrapper that are passed on with a map; all others have a name of the library's own."""
_RATE = ("crf", "qp", "rc", "tbr")
"""Options and parameters that set quality or bitrate."""
_PICTURE = ("width", "w", "height", "h", "input-depth", "color-format")
"""Parameters that the wrapper sets by its pictures, whatever its options say."""
_YUV420 = "1"
_GUIDED_PRESETS = range(4, 14)
_COST = (
    "offsets in AV1 save less, and cost the rest of the picture more, than in other encoders: measured at presets 8 and 10, "
    "balanced ones save 6 to 10 % of bits where viewers look and cost 1.1 % at equal VMAF, strong ones 20 to 28 % and 11 to "
    "12 % (docs/encoders.md)"
)
_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG."""
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
    matroska_id = "V_AV1"
    decoder = "libdav1d"
    aliases = ("svtav1", "svt-av1", "av1")
    stands_in_for = ("av1",)
    reads_side_data = False
    block_px = 64
    most_boost_qp = 1.0
    """The CRF is lowered so much, for the library hardly takes negative offsets: its rate-distortion trade-off is always
    that of the frame, so that what is far above it costs too many bits. Measured best (docs/encoders.md)."""
    guided_by_default = False
    max_levels = 8
    read_back = "levels"
    begins_anew = True
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
        return svt_library.works()

    def check(self, options: EncodeOptions) -> None:
        super().check(options)
        if options.crf is not None:
            self._check_quality_is_free(options)
        if not self.gives_offsets(options):
            return
        if options.preset is not None and int(options.preset) not in _GUIDED_PRESETS:
            allowed = f"{_GUIDED_PRESETS[0]} to {_GUIDED_PRESETS[-1]}"
            raise OptionsError(
                f"preset {options.preset}: {self.name} is driven with a map at presets {allowed}",
                value=options.preset,
                allowed=tuple(map(str, _GUIDED_PRESETS)),
            )

    def _check_quality_is_free(self, options: EncodeOptions) -> None:
        """Raise OptionsError for an option that would set the quality, too, where a CRF is given or searched for."""
        params = {f"{_PARAMS}={key}": value for key, value in parse_params(options.extra.get(_PARAMS, "")).items()}
        for key, value in {**options.extra, **params}.items():
            if key.removeprefix(f"{_PARAMS}=") in _RATE:
                raise OptionsError(
                    f"--opt {key}={value}: a crf sets the quality already, given or searched for: leave one of them out, or "
                    "encode with --attention none and no --crf",
                    value=key,
                )

    def without_bitrate(self, options: EncodeOptions) -> EncodeOptions | None:
        if not self.gives_offsets(options) or options.bitrate_kbps is None or options.two_pass:
            return None
        return replace(options, bitrate_kbps=None, crf=self.usual_crf)

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        if why := self.why_no_offsets():
            raise OptionsError(f"{self.name} can't be given QP offsets here: {why}. Encode with --attention none")
        for key, value in options.items():
            if key not in _TAKEN:
                raise OptionsError(
                    f"--opt {key}={value}: {self.name} with a map takes its options in --opt {_PARAMS}=name=value:..., "
                    "by the library's own names; or encode with --attention none",
                    value=key,
                )
        params = parse_params(options.get(_PARAMS, ""))
        for key in ("crf", "qp"):
            self._check_quality(key, params.get(key, options.get(key, "35")))
        if not is_off({"rc": "0", **params}, "rc"):
            raise self.refusal(f"rc={params['rc']}", "its rate control ignores the map", "use --crf")
        if not is_off({"lossless": "0", **params}, "lossless"):
            raise self.refusal("lossless=1", "there is nothing to quantise", "use --crf")
        if "min-qp" in params and is_off(params, "min-qp"):
            raise self.refusal("min-qp=0", "at the lowest quantiser a frame's map is dropped", "use min-qp=1")
        return with_params(options, {"min-qp": "1", **params}), [_COST]

    def _check_quality(self, key: str, value: str) -> None:
        low, high = self.crf_range
        try:
            inside = low <= float(value) <= high
        except ValueError:
            inside = False
        if not inside:
            raise OptionsError(
                f"{key}={value}: {self.name} with a map takes {low:g} to {high:g}", value=value, allowed=self.crf_range
            )

    def opened(self) -> None:
        svt_library.lower_threads()

    def driver(self, context: VideoCodecContext, grid: BlockGrid) -> Driver:
        return _SvtDriver(context, grid)

    def with_hdr(self, options: Mapping[str, str], hdr: HdrMetadata) -> tuple[dict[str, str], list[str]]:
        found = {}
        if hdr.mastering:
            found["mastering-display"] = _in_units(hdr.mastering)
        if hdr.light_level:
            found["content-light"] = hdr.light_level
        return with_params(options, {**found, **parse_params(options.get(_PARAMS, ""))}), []

    def on_threads(self, extra: Mapping[str, str], threads: int) -> dict[str, str]:
        return with_params(extra, {"lp": str(threads), **parse_params(extra.get(_PARAMS, ""))})

    def with_peak(self, extra: Mapping[str, str], peak_kbps: float, buffer_kbit: float) -> dict[str, str]:
        return dict(extra)  # it knows one at constant quality only, and can't be opened with it otherwise

    def with_key_frames_every(self, frames: int, extra: Mapping[str, str]) -> dict[str, str]:
        return dict(extra)  # it places none of its own between those that are asked for

    def live_options(self, extra: Mapping[str, str], bitrate_kbps: float, preset: str, first_preset: str) -> dict[str, str]:
        return with_params(
            extra, {"pred-struct": "1", "rc": "2", **parse_params(extra.get(_PARAMS, ""))}
        )  # low delay, in which it knows no other rate control

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

    def listed(self, options: Mapping[str, str], delta_qp: FloatArray) -> NDArray[np.int64]:
        return QindexOffsets(_crf({**options, **parse_params(options.get(_PARAMS, ""))})).indices(delta_qp)

    def qp_limits(self, bit_depth: int) -> tuple[float, float]:
        low, high = self.qp_steps(np.array([0, 255], np.int32))
        return float(low), float(high)

    def qp_steps(self, exported: NDArray[np.int32]) -> FloatArray:
        """6 steps for each doubling of the quantiser."""
        return (6 * np.log2(quantisers()[np.clip(exported, 0, 255)])).astype(np.float32)


class _SvtDriver:
    """The library at work on one video."""

    def __init__(self, context: VideoCodecContext, grid: BlockGrid) -> None:
        """context: PyAV's encoder, set up but not opened."""
        params = library_params(context)
        self._offsets = QindexOffsets(_crf(params))
        params["qp" if "qp" in params else "crf"] = f"{self._offsets.lowered_crf}"
        self._encoder = SvtEncoder(params, takes_maps=True)
        self._format = (context.width, context.height, context.pix_fmt)
        self._time_base = context.time_base
        self._all_key = context.gop_size == 1
        self._shape = grid.shape
        self._scaler = VideoReformatter()
        context.options = with_params(context.options, {**parse_params(context.options.get(_PARAMS, "")), "lp": "1"})

    def applied(self, delta_qp: FloatArray) -> FloatArray:
        return self._offsets.applied(delta_qp)

    def send(self, frame: VideoFrame, delta_qp: FloatArray, *, key: bool) -> list[Packet[Any]]:
        width, height, pix_fmt = self._format
        pts = frame.pts
        if (frame.width, frame.height, frame.format.name) != self._format:
            frame = self._scaler.reformat(frame, width, height, pix_fmt)
            frame.pts = pts
        self._encoder.send(frame, key=key or self._all_key, segments=self._offsets.segments(delta_qp))
        return self._timed(self._encoder.packets())

    def flush(self) -> list[Packet[Any]]:
        packets = self._timed(self._encoder.rest())
        self._encoder.close()
        return packets

    def _timed(self, packets: Iterable[Packet[Any]]) -> list[Packet[Any]]:
        found = list(packets)
        for packet in found:
            packet.time_base = self._time_base
        return found


class QindexOffsets:
    """QP offsets as the library takes them: added to the quantiser index of frames, and never negative."""

    def __init__(self, crf: float) -> None:
        self._quantisers = quantisers()  # VP9's: AV1 kept its table
        wanted = self._quantisers[_qindex(crf)] * 2 ** (-ENCODER.most_boost_qp / 6)
        self.lowered_crf = next(one for one in range(1, 64) if one >= crf or self._quantisers[_qindex(one)] >= wanted)
        self._base = _qindex(self.lowered_crf)
        self._boost_qp = float(6 * np.log2(self._quantisers[_qindex(crf)] / self._quantisers[self._base]))

    def applied(self, delta_qp: FloatArray) -> FloatArray:
        """The offsets that can be had."""
        return self._steps(self.indices(delta_qp))

    def segments(self, delta_qp: FloatArray) -> Segments:
        """Offsets [rows, cols] with at most 8 values, as a map."""
        values, ids = np.unique(-self.indices(delta_qp), return_inverse=True)
        return Segments(ids.reshape(delta_qp.shape).astype(np.uint8), (-values).astype(np.int16))

    def indices(self, delta_qp: FloatArray) -> NDArray[np.int64]:
        """[rows, cols] what is added to the frame's quantiser index, >= 0."""
        wanted = self._quantisers[self._base] * 2 ** ((delta_qp + self._boost_qp) / 6)
        nearest: NDArray[np.int64] = np.abs(self._quantisers[:, None, None] - wanted).argmin(axis=0)
        return np.maximum(nearest - self._base, 0)

    def _steps(self, indices: NDArray[np.int64]) -> FloatArray:
        ratio = self._quantisers[self._base + indices] / self._quantisers[self._base]
        return np.asarray(6 * np.log2(ratio) - self._boost_qp, np.float32)


def _crf(params: Mapping[str, str]) -> float:
    return float(params.get("crf") or params.get("qp") or ENCODER.usual_crf)


def _qindex(crf: float) -> int:
    """The library's quantizer_to_qindex."""
    return {62: 249, 63: 255}.get(round(crf), 4 * round(crf))


def library_params(context: VideoCodecContext) -> dict[str, str]:
    """Settings that ffmpeg's wrapper gives an encoder that is set up but not opened, by the library's own names."""
    rate = context.framerate
    options = context.options
    of_pictures = {
        "width": str(context.width),
        "height": str(context.height),
        "input-depth": str(VideoFormat(context.pix_fmt or "yuv420p").components[0].bits),
        "color-format": _YUV420,
    }
    params = {
        "fps-num": str(rate.numerator),
        "fps-denom": str(rate.denominator),
        "irefresh-type": "2",
        "enable-force-key-frames": "1",
        "color-primaries": str(int(context.color_primaries)),
        "transfer-characteristics": str(int(context.color_trc)),
        "matrix-coefficients": str(int(context.colorspace)),
        "color-range": str(int(context.color_range == _FULL_RANGE)),
    }
    if context.gop_size > 1:
        params["intra-period"] = str(context.gop_size - 1)
    if "preset" in options:
        params["preset"] = options["preset"]
    if "crf" in options:
        params |= {"rc": "0", "crf": options["crf"]}
    elif "qp" in options:
        params |= {"rc": "0", "aq-mode": "0", "qp": options["qp"]}
    user = {name: value for name, value in parse_params(options.get(_PARAMS, "")).items() if name not in _PICTURE}
    return of_pictures | params | user


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
