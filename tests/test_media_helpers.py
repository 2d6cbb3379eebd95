"""The test videos really are what their names promise: otherwise the tests built on them would prove nothing."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import media
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from av.video.frame import PictureType
from media import StreamFacts, ffmpeg_says, frames_of, streams_of, video_pts


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def by_kind(path: Path, kind: str) -> list[StreamFacts]:
    return [stream for stream in streams_of(path) if stream["kind"] == kind]


def test_plain_video_moves_and_cuts(video: Path) -> None:
    frames = frames_of(video)
    assert [frame.shape for frame in frames] == [(180, 320)] * 30
    assert video_pts(video) == [Fraction(index, 25) for index in range(30)]
    change = np.array([np.abs(b.astype(float) - a).mean() for a, b in pairwise(frames)])
    assert change.min() > 0.5
    assert int(change.argmax()) + 1 == 15
    assert change.max() > 3 * np.sort(change)[-2]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_rich_video(request: pytest.FixtureRequest, suffix: str) -> None:
    path: Path = request.getfixturevalue(f"rich_{suffix}")
    audio, subtitles = by_kind(path, "audio"), by_kind(path, "subtitle")
    assert [(one["language"], "default" in one["disposition"], "comment" in one["disposition"]) for one in audio] == [
        ("eng", True, False),
        ("deu", False, True),
    ]
    assert [(one["language"], "forced" in one["disposition"]) for one in subtitles] == [("eng", False), ("deu", True)]
    assert [one["codec"] for one in subtitles] == (["srt", "ssa"] if suffix == "mkv" else ["mov_text", "mov_text"])
    cover = by_kind(path, "video")[-1]
    codec = "mjpeg" if suffix == "mkv" else "png"
    assert (cover["disposition"], cover["codec"], cover["width"]) == ({"attached_pic"}, codec, 96)
    assert media.chapters_of(path) == list(media.CHAPTERS)
    said = ffmpeg_says(path)
    for key, value in media.TAGS.items():
        assert re.search(rf"(?i){key} *: {value}", said)
    assert media.audio_packets(path, 0) != media.audio_packets(path, 1)


def test_attached_font(rich_mkv: Path, videos: Path) -> None:
    assert "Attachment: ttf" in ffmpeg_says(rich_mkv)
    modern = media.make_rich_video(videos / "modern_font.mkv", font_mimetype="font/ttf")
    for path in (rich_mkv, modern):
        with av.open(str(path)) as container:
            assert [bytes(one.data) for one in container.streams.attachments] == [media.FONT]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_variable_frame_rate(request: pytest.FixtureRequest, suffix: str) -> None:
    pts = video_pts(request.getfixturevalue(f"vfr_{suffix}"))
    steps = np.diff(np.array(pts, dtype=float))
    assert pts[0] == Fraction(14, 10)
    assert len(set(np.diff([pts[0], *pts]).tolist())) > 20
    assert sorted(steps)[-1] == pytest.approx(0.7, abs=1e-3)
    assert sorted(steps)[-2] < 0.06


@pytest.mark.parametrize(("degrees", "said"), [(90, "-90.00"), (180, "180.00"), (270, "90.00")])
def test_rotation(videos: Path, degrees: int, said: str) -> None:
    path = media.make_rotated_video(videos / f"turned_{degrees}.mp4", degrees, frames=5)
    assert f"rotation of {said}" in ffmpeg_says(path).replace("-180.00", "180.00")


def test_hdr10(hdr10_mkv: Path) -> None:
    assert "hevc (Main 10), yuv420p10le(tv, bt2020nc/bt2020/smpte2084" in ffmpeg_says(hdr10_mkv)
    side_data: Any = first_frame(hdr10_mkv).side_data
    assert Type.MASTERING_DISPLAY_METADATA in [side_data[index].type for index in range(len(side_data))]
    assert np.frombuffer(bytes(side_data[Type.CONTENT_LIGHT_LEVEL]), np.uint32).tolist() == [1000, 400]
    assert frames_of(hdr10_mkv)[0].max() > 255


def test_odd_size(odd_mp4: Path) -> None:
    assert re.search(r"yuv444p\S*, 321x179", ffmpeg_says(odd_mp4))
    assert frames_of(odd_mp4)[0].shape == (179, 321)


def test_interlaced(interlaced_mkv: Path) -> None:
    assert "top coded first" in ffmpeg_says(interlaced_mkv)
    assert first_frame(interlaced_mkv).interlaced_frame
    frame = frames_of(interlaced_mkv)[10].astype(float)
    combing = np.abs(frame[1:-1] - (frame[:-2] + frame[2:]) / 2).mean()
    within_fields = np.abs(frame[2:-2] - (frame[:-4] + frame[4:]) / 2).mean()
    assert combing > within_fields


def test_b_frames_in_avi(bframes_avi: Path) -> None:
    with av.open(str(bframes_avi)) as container:
        kinds = {PictureType(frame.pict_type).name for frame in container.decode(video=0)}
    assert kinds == {"I", "P", "B"}
    with av.open(str(bframes_avi)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert any(packet.pts is None for packet in packets) or video_pts(bframes_avi)[0] != 0


def test_open_gop(open_gop_mp4: Path) -> None:
    with av.open(str(open_gop_mp4)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert len(keys) >= 3
    for key in keys[1:]:
        assert (packets[key + 1].pts or 0) < (packets[key].pts or 0)


def test_data_track(data_track_mp4: Path, videos: Path) -> None:
    assert "Data: none (tmcd" in ffmpeg_says(data_track_mp4)
    assert [(one["kind"], one["frames"]) for one in streams_of(data_track_mp4)] == [("video", 30), ("data", 1)]
    with pytest.raises(AssertionError, match=r"(?i)only audio, video, and subtitles are supported"):
        media.run_ffmpeg("-i", data_track_mp4, "-map", "0", "-c", "copy", videos / "refused.mkv")


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_truncated_video_begins_well(videos: Path, suffix: str) -> None:
    path = media.make_truncated_video(videos / f"cut.{suffix}")
    assert 10 < streams_of(path)[0]["frames"] < 30


def test_truncated_mp4(videos: Path) -> None:
    with pytest.raises(av.InvalidDataError):
        av.open(str(media.make_truncated_video(videos / "no_index.mp4")))
    indexed = media.make_truncated_video(videos / "indexed.mp4", container_options={"movflags": "+faststart"})
    assert 10 < len(video_pts(indexed)) < 30


def test_audio_only(audio_only: Path) -> None:
    assert [one["kind"] for one in streams_of(audio_only)] == ["audio"]


def test_psnr_tells_encodes_apart(video: Path, videos: Path) -> None:
    coarse = media.make_video(videos / "coarse.mp4", cuts=[15], options={**media.QUICK, "crf": "40"})
    assert media.psnr_y(video, video) == float("inf")
    assert 20 < media.psnr_y(video, coarse) < 40


def test_real_clips_are_there(bikes: Path, bunny: Path) -> None:
    assert streams_of(bikes)[0]["frames"] == 250
    assert (streams_of(bunny)[0]["width"], streams_of(bunny)[0]["height"]) == (1280, 720)
