"""What playlists say of a codec: RFC 6381's codecs parameter, from a track's header."""

from __future__ import annotations

from collections.abc import Iterator

from stcodec.stream.packet import Track

_START_CODE = b"\0\0\1"
_VP9_LEVELS = (
    *((829_440, 10), (2_764_800, 11), (4_608_000, 20), (9_216_000, 21), (20_736_000, 30), (36_864_000, 31)),
    *((83_558_400, 40), (160_432_128, 41), (311_951_360, 50)),
)
"""Luma samples a second, at most, and the level that allows them."""


def codecs_parameter(track: Track) -> str:
    """ "avc1.64001f", "hvc1.1.6.L93.90", "vp09.00.31.08", "mp4a.40.2". The header is in Annex B, as in packets."""
    if track.codec == "aac":
        return f"mp4a.40.{track.extradata[0] >> 3 if track.extradata else 2}"
    if track.codec == "h264":
        sps = next((unit for unit in _units(track.extradata) if unit[0] & 0x1F == 7), b"\x67\x64\x00\x28")
        return f"avc1.{sps[1:4].hex()}"
    if track.codec == "hevc":
        return _hevc(track.extradata)
    return _vp9(track)


def _hevc(header: bytes) -> str:
    """ISO/IEC 14496-15, annex E.3, from the profile, tier and level of the SPS (ITU-T H.265, 7.3.3)."""
    sps = next((unit for unit in _units(header) if (unit[0] >> 1) & 0x3F == 33), None)
    if sps is None:
        return "hvc1.1.6.L120.90"
    body = sps.replace(b"\0\0\3", b"\0\0")  # emulation prevention
    general = body[3:15]  # after the unit's header of two bytes, and one of ids and the number of layers
    space, tier, profile = general[0] >> 6, general[0] >> 5 & 1, general[0] & 0x1F
    compatible = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
    constraints = general[5:11].rstrip(b"\0")
    words = [f"hvc1.{'ABC'[space - 1] if space else ''}{profile}", f"{compatible:x}", f"{'LH'[tier]}{general[11]}"]
    return ".".join(words + [f"{one:x}" for one in constraints])


def _vp9(track: Track) -> str:
    """The VP codec ISO media file format binding; the level (its annex) is the smallest for the size and rate."""
    deep = 8 if "10" not in track.pix_fmt and "12" not in track.pix_fmt else 10
    profile = (0 if "420" in track.pix_fmt or not track.pix_fmt else 1) + (2 if deep > 8 else 0)
    samples = track.width_px * track.height_px * float(track.frame_rate or 30)
    level = next((name for most, name in _VP9_LEVELS if samples <= most), 51)
    return f"vp09.{profile:02d}.{level}.{deep:02d}"


def _units(header: bytes) -> Iterator[bytes]:
    """The NAL units of a header in Annex B."""
    for piece in header.split(_START_CODE)[1:]:
        unit = piece.rstrip(b"\0")
        if len(unit) > 3:
            yield unit
