"""Videos of so few frames that libx265 leaves their decoding times to chance."""

from __future__ import annotations

from pathlib import Path

import av
import media
import pytest

from stcodec.pipeline.encode import encode


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_every_frame_is_decoded_when_it_should_be(tmp_path: Path, frames: int, name: str) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-frames:v", str(frames), "-pix_fmt", "yuv420p")
    media.run_ffmpeg(*picture, tmp_path / "in.y4m")
    encode(tmp_path / "in.y4m", tmp_path / name, encoder="libx265", crf=28, attention="none")
    with av.open(str(tmp_path / name)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert sorted(float((packet.pts or 0) * packet.time_base) for packet in packets) == pytest.approx(
        [number / 25 for number in range(frames)], abs=1e-3
    )
    assert all(abs(float(((packet.dts or 0) - (packet.pts or 0)) * packet.time_base)) < 0.2 for packet in packets)
