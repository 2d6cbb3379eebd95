"""A film of a single frame, whose decoding time libx265 leaves to chance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import media
import pytest
from av.packet import Packet

from stcodec.media.mux import Muxer
from stcodec.pipeline.encode import encode


def test_a_decoding_time_after_the_frame_is_shown_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Muxer.write_video

    def late(self: Muxer, packets: Iterable[Packet[Any]]) -> None:
        every = list(packets)
        for packet in every:
            packet.dts = 10**12
        whole(self, every)

    monkeypatch.setattr(Muxer, "write_video", late)
    media.run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-frames:v", "1", "-pix_fmt", "yuv420p", tmp_path / "one.y4m"
    )
    encode(tmp_path / "one.y4m", tmp_path / "one.mkv", encoder="libx265", crf=28, attention="none")
    assert [one["frames"] for one in media.streams_of(tmp_path / "one.mkv")] == [1]
