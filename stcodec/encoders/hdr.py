"""HDR10 static metadata: read from a decoded frame, given to the encoder as its own parameters.

PyAV can't hand stream side data to an encoder, so that mastering display and content light level are lost unless they are
written out in x264's and x265's parameter syntax.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from stcodec.media.side_data import side_data

_CHROMA_UNIT = 50_000
_LUMINANCE_UNIT = 10_000


@dataclass(frozen=True)
class HdrMetadata:
    """SMPTE ST 2086 mastering display colour volume and CTA-861.3 content light level, as x265 writes them."""

    mastering: str | None
    """"G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)" in units of 0.00002 and 0.0001 cd/m2."""
    light_level: str | None
    """"MaxCLL,MaxFALL" in cd/m2."""


def hdr_metadata(frame: VideoFrame) -> HdrMetadata | None:
    """The metadata that a decoded frame carries; None if it carries none."""
    mastering = side_data(frame, "MASTERING_DISPLAY_METADATA")
    light = side_data(frame, "CONTENT_LIGHT_LEVEL")
    if mastering is None and light is None:
        return None
    return HdrMetadata(
        _mastering(mastering) if mastering is not None else None,
        "{},{}".format(*struct.unpack_from("=II", light)) if light is not None else None,
    )


def _mastering(raw: bytes) -> str | None:
    # AVMasteringDisplayMetadata: AVRational primaries[3][2] (r, g, b), white[2], min and max luminance, two flags.
    numbers = struct.unpack_from("=20i2i", raw)
    if not (numbers[20] and numbers[21]):
        return None
    values = [Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2)]
    red, green, blue, white = (
        ",".join(str(round(value * _CHROMA_UNIT)) for value in values[i : i + 2]) for i in range(0, 8, 2)
    )
    least, most = (round(value * _LUMINANCE_UNIT) for value in values[8:])
    return f"G({green})B({blue})R({red})WP({white})L({most},{least})"
