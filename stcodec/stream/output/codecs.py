"""The codecs parameter of playlists (RFC 6381), from a track's header."""

from __future__ import annotations

from stcodec.encoders.table import encoder_of
from stcodec.stream.packet import Track


def codecs_parameter(track: Track) -> str:
    """ "avc1.64001f", "hvc1.1.6.L93.90", "vp09.00.31.08", "mp4a.40.2". The header is in Annex B, as in packets."""
    if track.codec == "aac":
        return f"mp4a.40.{track.extradata[0] >> 3 if track.extradata else 2}"
    encoder = encoder_of(track.codec)
    assert encoder is not None
    return encoder.playlist_codec(track)
