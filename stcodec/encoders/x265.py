"""x265. What its options do to offsets was read in its source and measured (tests/test_guards.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stcodec.encoders.encoder import CodedVideo
from stcodec.encoders.params import is_off
from stcodec.encoders.x26x import X26x, kept_on, nal_units

if TYPE_CHECKING:
    from av.packet import Packet

    from stcodec.encoders.hdr import HdrMetadata

_UNTIMED_FRAMES = 2
"""It tells decoding times by the third frame's; those of a video that has none are left to chance."""
_LOSING = (
    ("qp", "constant QP turns adaptive quantisation off", "use --crf"),
    ("lossless", "there is nothing to quantise", "use --crf"),
    ("hevc-aq", "it replaces the adaptive quantisation that carries the offsets", "use aq-mode"),
)


class X265(X26x):
    """HEVC."""

    name = "libx265"
    codec = "hevc"
    matroska_id = "V_MPEGH/ISO/HEVC"
    aliases = ("x265", "hevc")
    stands_in_for = ("265", "hevc", "vvenc", "kvazaar")
    signature = re.compile(rb"x265 \(build (\d+)\) - ([\w.+-]+)")
    params = "x265-params"
    parameter_lists = ("x265-params",)
    tree = "cutree"
    hdr_names = ("master-display", "max-cll")
    usual_crf = 28.0
    live_preset = "superfast"
    trial_options = {"preset": "veryfast", "crf": "28", "x265-params": "log-level=none:qg-size=16"}  # noqa: RUF012
    mp4_tag = "hvc1"  # Apple's players take no other
    pixel_formats = (
        "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
        "yuv420p12le", "yuv422p12le", "yuv444p12le", "gray", "gray10le", "gray12le",
    )  # fmt: skip

    def base_options(self, extra: Mapping[str, str]) -> dict[str, str]:
        # It writes to the terminal by itself; unlike x264's, its wrapper passes captions on only if told to.
        return {"a53cc": "1", **self.with_default_params(extra, {"log-level": "error"})}

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        seen = self.effective(options)
        for key, why, instead in _LOSING:
            if key in seen and (key == "qp" or not is_off(seen, key)) and not seen[key].startswith("-"):
                raise self.refusal(f"{key}={seen[key]}", why, instead)
        self.check_aq(seen)
        wanted = {} if "qg-size" in seen else {"qg-size": "16"}
        messages = []
        if seen.get("qg-size") in ("32", "64"):
            messages.append(f"qg-size={seen['qg-size']} averages the offsets over {seen['qg-size']}x{seen['qg-size']} px")
        # tune=psnr leaves it on, but at strength 0, which counts as off without cutree.
        added, said = kept_on(seen, {"preset": ("ultrafast", "superfast"), "tune": ("grain", "psnr")})
        return self.with_default_params(options, {**wanted, **added}), messages + said

    def with_hdr(self, options: Mapping[str, str], hdr: HdrMetadata) -> tuple[dict[str, str], list[str]]:
        options, messages = super().with_hdr(options, hdr)
        return super().with_default_params(options, {"repeat-headers": "1", "hdr10": "1"}), messages

    def for_pass(self, options: Mapping[str, str], number: int, stats: Path) -> dict[str, str]:
        return self.with_params(options, {"pass": str(number), "stats": str(stats)})

    def finished(self, packets: Sequence[Packet[Any]], frames: int) -> Sequence[Packet[Any]]:
        if frames <= _UNTIMED_FRAMES:
            for packet in packets:
                packet.dts = packet.pts  # so few are not reordered
        return packets

    def on_threads(self, extra: Mapping[str, str], threads: int) -> dict[str, str]:
        return self.with_default_params(extra, {"pools": str(threads), "frame-threads": str(threads)})

    def with_key_frames_every(self, frames: int, extra: Mapping[str, str]) -> dict[str, str]:
        return self.with_params(extra, {"scenecut": "0", "min-keyint": str(frames), "open-gop": "0"})

    def playlist_codec(self, video: CodedVideo) -> str:
        """ISO/IEC 14496-15, annex E.3, from the profile, tier and level of the SPS (ITU-T H.265, 7.3.3)."""
        sps = next((unit for unit in nal_units(video.extradata) if (unit[0] >> 1) & 0x3F == 33), None)
        if sps is None:
            return "hvc1.1.6.L120.90"
        body = sps.replace(b"\0\0\3", b"\0\0")  # emulation prevention
        general = body[3:15]  # after the unit's header of two bytes, and one of ids and the number of layers
        space, tier, profile = general[0] >> 6, general[0] >> 5 & 1, general[0] & 0x1F
        compatible = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
        constraints = general[5:11].rstrip(b"\0")
        words = [f"hvc1.{'ABC'[space - 1] if space else ''}{profile}", f"{compatible:x}", f"{'LH'[tier]}{general[11]}"]
        return ".".join(words + [f"{one:x}" for one in constraints])


ENCODER = X265()
