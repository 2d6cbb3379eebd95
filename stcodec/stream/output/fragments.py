"""Fragments of MP4 (CMAF chunks): a head once, then each piece by itself, with its exact times, the moment it is there."""

from __future__ import annotations

import io
from collections.abc import Sequence

from stcodec.stream.output.tracks import as_packet, open_muxer
from stcodec.stream.packet import LivePacket, Track

EXACT_TIMES = {"use_editlist": "0", "avoid_negative_ts": "disabled"}
"""Options of the MP4 muxer with which the times in fragments are those of the packets, not counted from the first."""
_OPTIONS = {**EXACT_TIMES, "movflags": "+frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer"}


def head(tracks: Sequence[Track]) -> bytes:
    """The initialisation segment: ftyp and moov."""
    sink = io.BytesIO()
    open_muxer(sink, "mp4", tracks, _OPTIONS).start_encoding()
    return sink.getvalue()


def fragment(tracks: Sequence[Track], packets: Sequence[LivePacket], place: int, number: int) -> bytes:
    """Packets of the track at that place, as a moof and its mdat. number: of the fragment in its stream, from 1 on.

    A muxer of its own for each: one that lives on gives out a fragment only when it has the packet after it.
    """
    sink = io.BytesIO()
    container = open_muxer(sink, "mp4", tracks, {**_OPTIONS, "fragment_index": str(number)})
    container.start_encoding()
    begin = sink.tell()
    for packet in packets:
        container.mux_one(as_packet(packet, container.streams[place]))
    container.close()
    return sink.getvalue()[begin:]
