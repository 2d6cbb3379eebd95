"""A stretch of a video, and filters before it is encoded: the frames, the sound and the sizes that come out."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import command
import media
import numpy as np
import pytest

import stcodec
from stcodec import MatchOptions, OptionsError
from stcodec.media.decode import VideoReader
from stcodec.media.seek import frames_from
from stcodec.options import EncodeOptions
from stcodec.view import View

PLAIN = EncodeOptions(attention="none", crf=8, preset="veryfast")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of 25 frames with sound, B-frames and a key frame every 0.8 s."""
    path = tmp_path_factory.mktemp("view") / "video.mp4"
    lines = "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -f lavfi -i sine=d=4:r=48000 -c:v libx264 -bf 2 -g 20 -crf 12 -c:a aac"
    media.run_ffmpeg(*lines.split(), path)
    return path


def sound_seconds(path: Path) -> tuple[float, float]:
    with av.open(str(path)) as container:
        packets: Any = [one for one in container.demux(audio=0) if one.pts is not None and one.time_base]
        ends = [float((one.pts + (one.duration or 0)) * one.time_base) for one in packets]
        return float(packets[0].pts * packets[0].time_base), max(ends)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("start", "end"), [(1.0, 3.0), (1.03, 2.5), (0.0, 0.5), (3.5, None), (0.81, 0.9)])
def test_a_stretch_is_cut_exactly(video: Path, tmp_path: Path, start: float, end: float | None, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    report = stcodec.encode(video, out, start_seconds=start, end_seconds=end, options=PLAIN)
    originals = media.frames_of(video)
    first, last = int(np.ceil(start * 25 - 1e-6)), int(np.ceil((end or 4) * 25 - 1e-6))
    found = media.frames_of(out)
    assert len(found) == report.frames == last - first
    assert all(media.psnr(a, b) > 38 for a, b in zip(found, originals[first:last], strict=True))
    begin, stop = sound_seconds(out)
    with av.open(str(out)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    shift = 0.022 if suffix == "mkv" and start == 0 else 0.0  # it begins with the sound's priming
    assert times[0] - shift == pytest.approx(first / 25 - start, abs=2e-3)
    assert -0.03 <= begin < 0.05 and abs(stop - (times[-1] + 0.04)) < 0.06


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_cues_and_chapters_are_cut_with_it(tmp_path: Path, suffix: str) -> None:
    source, out = media.make_rich_video(tmp_path / f"in.{suffix}"), tmp_path / f"out.{suffix}"
    stcodec.encode(source, out, start_seconds=0.4, end_seconds=1.4, options=PLAIN)
    assert media.chapters_of(out) == [(0, 0.1, "One"), (0.1, 0.85, "Two: middle"), (0.85, 1, "Drei ä")]
    with av.open(str(out)) as container:
        for stream in container.streams.subtitles:
            container.seek(0)
            cues = [one for one in container.demux(stream) if one.size > 2 and one.time_base]  # 2 bytes: none is shown
            times = [
                float(tick * one.time_base) for one in cues for tick in (one.pts or 0, (one.pts or 0) + (one.duration or 0))
            ]
            assert times == pytest.approx([0, 0.5, 0.6, 1], abs=2e-3)
        assert container.duration is not None and container.duration / 1e6 == pytest.approx(1, abs=0.03)


def test_a_start_behind_the_end_is_refused(video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    command.assert_refused(capfd, tmp_path, 1, "has no frame at 9 s or later", "encode", video, out, "--start", "9")
    command.assert_refused(
        capfd, tmp_path, 2, "has to be after the start", "encode", video, out, "--start", "2", "--end", "1"
    )
    command.assert_refused(capfd, tmp_path, 2, "is no time", "encode", video, out, "--start", "soon")


@pytest.mark.parametrize(
    ("flags", "size", "frames"),
    [
        (["--scale", "160:-2"], (160, 90), 100),
        (["--scale", "90p"], (160, 90), 100),
        (["--scale", "200x100"], (200, 100), 100),
        (["--crop", "100:50:20:10"], (100, 50), 100),
        (["--crop", "100:50:20:10", "--scale", "50:-2"], (50, 26), 100),
        (["--fps", "50"], (320, 180), 200),
        (["--fps", "5"], (320, 180), 20),
        (["--deinterlace"], (320, 180), 100),
        (["--vf", "hflip,pad=340:200:10:10"], (340, 200), 100),
        (["--start", "1", "--duration", "1", "--fps", "10", "--scale", "64:-2"], (64, 36), 10),
    ],
)
def test_filters(
    video: Path, tmp_path: Path, flags: list[str], size: tuple[int, int], frames: int, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mkv"
    done = command.run(capfd, "encode", video, out, "--attention", "center", "--preset", "ultrafast", *flags)
    assert done.status == 0, done.err
    with VideoReader(out) as reader:
        found = list(reader.frames())
        assert ((reader.info.width_px, reader.info.height_px), len(found)) == (size, frames)
    assert all(b.time - a.time == pytest.approx(found[1].time - found[0].time, abs=2e-3) for a, b in pairwise(found))


def test_what_a_filter_did_is_what_is_compared_with(video: Path, tmp_path: Path) -> None:
    """A search compares its files with the pictures behind the filters; the offsets are read back there too."""
    out = tmp_path / "out.mp4"
    report = stcodec.match(
        video, out, MatchOptions(crf=30), attention="center", preset="ultrafast",
        start_seconds=0.5, end_seconds=3.5, filters="crop=160:90:100:40,hflip",
    )  # fmt: skip
    assert report.frames == 75 and report.match is not None
    assert report.offsets_applied.verdict in ("applied", "weak")
    expected = [np.fliplr(one[40:130, 100:260]) for one in media.frames_of(video)[13:88]]
    assert all(media.psnr(a, b) > 25 for a, b in zip(media.frames_of(out), expected, strict=True))


@pytest.mark.parametrize("filters", ["", "crop=100:50:20:10", "fps=50", "fps=10,scale=64:-2"])
def test_a_view_reads_the_same_from_the_middle(video: Path, filters: str) -> None:
    view = View(0.5, 3.5, filters)
    with VideoReader(video, view=view) as reader:
        frames = [(frame.time, media.luma_of(frame)) for frame in reader.frames()]
    for index in (0, 1, len(frames) // 2, len(frames) - 1):
        found = [(one.time, media.luma_of(one)) for one in frames_from(video, frames[index][0], view=view)]
        assert [time for time, _ in found] == [time for time, _ in frames[index:]]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, frames[index:], strict=True))


def test_a_picture_is_filtered_upright(tmp_path: Path) -> None:
    turned = media.make_rotated_video(tmp_path / "turned.mp4", 90)
    with VideoReader(turned) as reader:
        shown = reader.info.display_width_px, reader.info.display_height_px
    stcodec.encode(turned, tmp_path / "out.mp4", filters="scale=iw/2:ih/2", options=PLAIN)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert (reader.info.width_px, reader.info.height_px) == tuple(side // 2 for side in shown)
        assert reader.info.rotation_degrees == 0


def test_shapes_of_pixels_are_kept(video: Path, tmp_path: Path) -> None:
    stcodec.encode(video, tmp_path / "out.mkv", filters="scale=200:100", options=PLAIN)
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert reader.info.sample_aspect_ratio == Fraction(8, 9)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("nosuch=1", "no filter 'nosuch'"),
        ("scale=nosuch", "fit together|does not take"),
        ("crop=9999:9999", "fit together|does not take"),
        ("[in]hflip", "without labels"),
        ("hflip,,vflip", "missing"),
        ("split", "fit together"),
        ("pad='", "not closed"),
    ],
)
def test_filters_that_cannot_be(video: Path, tmp_path: Path, filters: str, words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        stcodec.encode(video, tmp_path / "out.mp4", filters=filters, options=PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_maps_and_inspect_take_a_stretch(video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        command.run(capfd, "maps", video, tmp_path / "m.mkv", "--start", "1", "--end", "2", "--attention", "motion").status
        == 0
    )
    with VideoReader(tmp_path / "m.mkv") as reader:
        assert all(frame.time < 1.01 for frame in reader.frames())
    done = command.run(
        capfd, "inspect", video, "--attention", "motion", "--start", "1", "--duration", "1.5", "--scale", "160:-2"
    )
    assert done.status == 0 and "of 38 frames" in done.err


def test_a_change_of_size_in_mid_stream(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All of it is made like its beginning, said once; a search and a comparison read it in the same way."""
    parts = []
    for name, size, offset in (("a", "160:96", 0), ("b", "320:192", 2)):
        parts.append(tmp_path / f"{name}.ts")
        line = f"-f lavfi -i testsrc2=s=320x192:r=25:d=2 -vf scale={size} -c:v libx264 -preset ultrafast"
        media.run_ffmpeg(*line.split(), "-output_ts_offset", str(offset), parts[-1])
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = stcodec.encode(both, tmp_path / "out.mp4", options=PLAIN)
    assert "changes to 320x192" in " ".join(report.messages)
    found = media.frames_of(tmp_path / "out.mp4")
    assert len(found) == 100 and {one.shape for one in found} == {(96, 160)}
    assert media.psnr(found[10], found[60]) > 24, "the same test picture, made smaller"
    out = tmp_path / "match.mp4"
    done = command.run(capfd, "encode", both, out, "--match-crf", "28", "--attention", "center", "--preset", "ultrafast")
    assert done.status == 0, done.err
    done = command.run(capfd, "compare", both, out, tmp_path / "out.mp4", "--weights", "center")
    assert done.status == 0, done.err


def test_the_crop_of_the_bitstream_is_exact(tmp_path: Path) -> None:
    plain = media.make_video(tmp_path / "plain.mp4", frames=5, size=(320, 180))
    cropped = tmp_path / "cropped.mp4"
    media.run_ffmpeg("-i", plain, "-c", "copy", "-bsf:v", "h264_metadata=crop_left=18:crop_right=32:crop_top=8", cropped)
    with VideoReader(cropped) as reader:
        assert (reader.info.width_px, reader.info.height_px) == (270, 172)
        for frame, whole in zip(reader.frames(), media.frames_of(plain), strict=True):
            assert np.array_equal(media.luma_of(frame), whole[8:, 18:288])


def test_the_crop_of_the_container_is_applied(tmp_path: Path) -> None:
    """Matroska's PixelCropTop and PixelCropBottom, put into the places of DisplayWidth and DisplayHeight."""
    plain = tmp_path / "plain.mkv"
    media.run_ffmpeg(*["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=0.2", "-vf", "setsar=4/3", "-c:v", "libx264"], plain)
    content = bytearray(plain.read_bytes())
    for display, crop in ((b"\x54\xb0", b"\x54\xbb"), (b"\x54\xba", b"\x54\xaa")):
        place = content.index(display)
        size = content[place + 2] & 0x7F
        content[place : place + 3 + size] = crop + content[place + 2 : place + 3] + (20).to_bytes(size, "big")
    cropped = tmp_path / "cropped.mkv"
    cropped.write_bytes(content)
    for attention in ("none", "center"):
        stcodec.encode(cropped, tmp_path / "out.mkv", overwrite=True, attention=attention, crf=8, preset="veryfast")
        found = media.frames_of(tmp_path / "out.mkv")
        assert {one.shape for one in found} == {(140, 320)}
        assert all(media.psnr(a, b[20:160]) > 38 for a, b in zip(found, media.frames_of(plain), strict=True))


def test_errors_of_a_stretch_carry_value_and_allowed() -> None:
    with pytest.raises(OptionsError) as caught:
        View(start_seconds=-1)
    assert (caught.value.value, caught.value.allowed) == (-1, (0, math.inf))
    with pytest.raises(OptionsError) as caught:
        View(start_seconds=2, end_seconds=1)
    assert (caught.value.value, caught.value.allowed) == (1, (2, math.inf))
