"""AV1 by SVT-AV1: files, headers, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import av
import media
import pytest
from coding import main_packets

import stcodec
from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.table import find_encoder


def encoded(source: Path, target: Path, **fields: object) -> Path:
    stcodec.encode(source, target, **{"encoder": "libsvtav1", "preset": "12", "attention": "none", **fields})  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "m4v"])
def test_every_frame_with_its_time_in_every_container(tmp_path: Path, ending: str) -> None:
    ticks = [0, 40, 80, 200, 240, 1000, 1040]
    source = media.make_film(tmp_path / "vfr.mkv", size=(130, 70), ticks=ticks)
    done = encoded(source, tmp_path / f"out.{ending}")
    assert media.video_pts(done) == media.video_pts(source)
    with av.open(str(done)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("libdav1d", 130, 70)
        assert len(list(container.decode(video=0))) == len(ticks)


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (65, 64)])
def test_small_and_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    source = media.make_film(tmp_path / "in.mkv", size=size, frames=5, pix_fmt="yuv444p")
    done = encoded(source, tmp_path / "out.mkv")
    assert [frame.shape for frame in media.frames_of(done)] == [size[::-1]] * 5


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_hdr10_is_kept(tmp_path: Path, ending: str) -> None:
    source = media.make_hdr10_film(tmp_path / "hdr.mkv")
    done = encoded(source, tmp_path / f"out.{ending}")
    numbers = []
    for path in (source, done):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert frame.format.name == "yuv420p10le"
            assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 16, 9)
            found = hdr_metadata(frame)
            assert found is not None and found.mastering and found.light_level == "1000,400"
            numbers.append([int(one) for one in re.findall(r"\d+", found.mastering)])
    assert numbers[0] == pytest.approx(numbers[1], abs=1)  # AV1 keeps binary fractions


def test_the_name_for_playlists_is_that_of_the_header(tmp_path: Path) -> None:
    source = media.make_film(tmp_path / "in.mkv", size=(384, 216), frames=3)
    done = encoded(source, tmp_path / "out.mp4")
    with av.open(str(done)) as container:
        context = container.streams.video[0].codec_context
        header = bytes(context.extradata or b"")  # av1C: its second byte has profile and level
        profile, level = header[1] >> 5, header[1] & 0x1F

        class Video:
            extradata = header[4:]
            width_px, height_px, frame_rate, pix_fmt = 384, 216, None, "yuv420p"

        assert find_encoder("libsvtav1").playlist_codec(Video()) == f"av01.{profile}.{level:02d}M.08"


def test_key_frames_are_placed(tmp_path: Path) -> None:
    source = media.make_film(tmp_path / "in.mkv", size=(128, 96), frames=30, cuts=[7])
    done = encoded(source, tmp_path / "out.mkv", keyint=10)
    assert [number for number, packet in enumerate(main_packets(done)) if packet.is_keyframe] == [0, 10, 20]
