"""Reading: every frame with the time that ffmpeg gives it, from the start and from the middle; files cut short."""

from __future__ import annotations

import re
from contextlib import closing
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import media
import numpy as np
import pytest
from hypothesis import given, strategies as st

from stcodec.errors import MediaError
from stcodec.media.decode import VideoReader
from stcodec.media.seek import frames_from
from stcodec.media.timestamps import BestEffortPts
from stcodec.media.truncation import missing_bytes

SCREEN_TIMES = re.compile(r"\bn: *\d+ pts: *-?\d+ +pts_time:(-?[\d.]+)")


def times_by_ffmpeg(path: Path) -> list[float]:
    """What the ffmpeg program thinks that the times of the frames are, in seconds."""
    as_stored = [] if path.suffix == ".ts" else ["-copyts"]  # what a running clock shows at the beginning does not count
    said = media.run_ffmpeg(*as_stored, "-i", path, "-an", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-")
    return [float(time) for time in SCREEN_TIMES.findall(said)]


def read(path: Path) -> list[tuple[int, float, media.Luma]]:
    """The ticks, the time and the picture of every frame."""
    with VideoReader(path) as reader:
        return [(frame.pts or 0, frame.time, media.luma_of(frame)) for frame in reader.frames()]


@pytest.fixture(scope="module")
def shelf(videos: Path) -> Path:
    """A folder of videos that are hard to seek in, all of the same 60 frames or more."""
    folder = videos / "shelf"
    folder.mkdir()
    gop = {**media.QUICK, "g": "12", "bf": "2"}
    for suffix in ("mp4", "mkv", "ts", "mov"):
        media.make_video(folder / f"plain.{suffix}", frames=60, options=gop, size=(160, 96))
        media.make_open_gop_video(folder / f"open.{suffix}", frames=60, size=(160, 96))
    media.make_bframes_in_avi(folder / "bframes.avi", frames=60, size=(160, 96))
    for bframes in "02":
        path = folder / f"mpeg4_bf{bframes}.avi"
        media.make_video(path, codec="mpeg4", frames=60, options={"bf": bframes}, size=(160, 96))
    media.make_video(folder / "hevc.mkv", codec="libx265", frames=60, options=_hevc(), size=(160, 96))
    media.make_vfr_video(folder / "vfr.mkv", frames=60)
    media.make_vfr_video(folder / "vfr.mp4", frames=60, time_base=Fraction(1, 90_000))
    media.make_vfr_video(folder / "vfr.ts", frames=60, time_base=Fraction(1, 90_000))
    media.make_video(folder / "raw.h264", frames=60, options=gop, size=(160, 96))
    return folder


def _hevc() -> dict[str, str]:
    return {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=1:keyint=12:min-keyint=12:bframes=3"}


SHELF = [
    "plain.mp4", "plain.mkv", "plain.ts", "plain.mov", "open.mp4", "open.mkv", "open.ts", "open.mov", "bframes.avi",
    "mpeg4_bf0.avi", "mpeg4_bf2.avi", "hevc.mkv", "vfr.mkv", "vfr.mp4", "vfr.ts", "raw.h264",
]  # fmt: skip


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHELF)
def test_times_are_ffmpegs(shelf: Path, name: str) -> None:
    frames = read(shelf / name)
    assert len(frames) == 60
    assert all(before < after for (before, _, _), (after, _, _) in pairwise(frames))
    assert [time for _, time, _ in frames] == pytest.approx(times_by_ffmpeg(shelf / name), abs=1e-5)


def test_avi_without_presentation_times_is_repaired(bframes_avi: Path) -> None:
    """The decoder's own times do go back and forth here, or the test above would show nothing."""
    with av.open(str(bframes_avi)) as container:
        raw = [frame.pts for frame in container.decode(video=0)]
    assert any(a is None or b is None or b <= a for a, b in pairwise(raw))
    with VideoReader(bframes_avi) as reader:
        steps = np.diff([frame.pts or 0 for frame in reader.frames()])
    assert set(steps.tolist()) == {1}


def test_good_times_are_counted_as_such(vfr_mkv: Path) -> None:
    with VideoReader(vfr_mkv) as reader:
        times = [Fraction(frame.pts or 0) * reader.info.time_base for frame in reader.frames()]
        assert reader.repaired_times == 0
        assert reader.frames_read == 40
    assert times == media.video_pts(vfr_mkv)


Stamp = st.none() | st.integers(-1000, 1000)


@given(st.lists(st.tuples(Stamp, Stamp)), st.integers(-3, 50))
def test_times_always_increase(stamps: list[tuple[int | None, int | None]], frame_ticks: int) -> None:
    choose = BestEffortPts(frame_ticks)
    chosen = [choose(pts, dts) for pts, dts in stamps]
    assert all(before < after for before, after in pairwise(chosen))
    made_up = sum(time not in stamp for time, stamp in zip(chosen, stamps, strict=True))
    assert made_up <= choose.repaired <= len(stamps)


@given(st.lists(st.integers(-1000, 1000), unique=True), st.data(), st.integers(1, 50))
def test_good_times_stay(ticks: list[int], data: st.DataObject, frame_ticks: int) -> None:
    good = sorted(ticks)
    dts = data.draw(st.lists(Stamp, min_size=len(good), max_size=len(good)))
    choose = BestEffortPts(frame_ticks)
    assert [choose(pts, other) for pts, other in zip(good, dts, strict=True)] == good
    assert choose.repaired == 0


@given(st.lists(st.integers(-1000, 1000), unique=True), st.data())
def test_good_decoding_times_stay(ticks: list[int], data: st.DataObject) -> None:
    """Where there are no others, and where the others are known to be wrong."""
    good = sorted(ticks)
    pts = data.draw(st.lists(Stamp, min_size=len(good), max_size=len(good)))
    for choose, others in ((BestEffortPts(7), [None] * len(good)), (BestEffortPts(7, prefer_dts=True), pts)):
        assert [choose(other, dts) for other, dts in zip(others, good, strict=True)] == good
        assert choose.repaired == 0


def test_decoding_times_are_believed_when_the_others_go_back() -> None:
    choose = BestEffortPts(10)
    assert [choose(pts, dts) for pts, dts in [(10, 0), (40, 50), (20, 60), (30, 70), (80, 80)]] == [10, 40, 60, 70, 80]
    assert choose.repaired == 0


# --- what a reader gives --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_every_packet_of_other_streams_comes_by(request: pytest.FixtureRequest, suffix: str) -> None:
    path: Path = request.getfixturevalue(f"rich_{suffix}")
    seen: dict[int, int] = {}
    with VideoReader(path) as reader:
        kinds = {one.index: one.kind for one in reader.info.streams}
        main = reader.stream.index
        frames = sum(1 for _ in reader.frames(lambda p: seen.update({p.stream.index: seen.get(p.stream.index, 0) + 1})))
    whole = {index: facts["frames"] for index, facts in enumerate(media.streams_of(path))}
    assert frames == whole.pop(main) == 50
    assert main not in seen
    assert {index: seen.get(index, 0) for index in whole if kinds[index] in ("audio", "subtitle")} == {
        index: count for index, count in whole.items() if kinds[index] in ("audio", "subtitle")
    }


@pytest.mark.parametrize("export", ["mvs", "venc_params"])
def test_exported_side_data_is_of_finished_frames(bikes: Path, export: str) -> None:
    """With frame threads libavcodec hands out vectors and QPs of pictures that are half decoded: other ones every time."""
    with av.open(str(bikes)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"export_side_data": export}
        wanted = [_exported(frame, export) for frame in islice(container.decode(stream), 120)]
    with VideoReader(bikes, export=export) as reader:
        got = [_exported(frame, export) for frame in islice(reader.frames(), 120)]
    assert sum(len(one) > 1000 for one in wanted) > 60
    assert [a == b for a, b in zip(wanted, got, strict=True)] == [True] * 120


def _exported(frame: av.VideoFrame, export: str) -> bytes:
    if export == "venc_params":
        params: Any = frame.side_data.get("VIDEO_ENC_PARAMS")
        return b"" if params is None else bytes(params)[params.blocks_offset :]
    vectors: Any = frame.side_data.get("MOTION_VECTORS")
    if vectors is None:
        return b""
    table = vectors.to_ndarray()  # with padding between its fields that holds anything
    return b"".join(np.ascontiguousarray(table[name]).tobytes() for name in table.dtype.names)


# --- from the middle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHELF)
def test_frames_from_the_middle(shelf: Path, name: str) -> None:
    path = shelf / name
    frames = read(path)
    for index in (0, 1, 11, 12, 13, 25, 35, 36, 48, 58, 59):
        time = frames[index][1]
        with closing(frames_from(path, time)) as found:
            near = [(frame.time, media.luma_of(frame)) for frame in islice(found, 3)]
        wanted = frames[index : index + 3]
        assert [one for one, _ in near] == pytest.approx([one for _, one, _ in wanted], abs=1e-6), index
        assert all(np.array_equal(a, b) for (_, a), (_, _, b) in zip(near, wanted, strict=True)), index
    between = (frames[20][1] + 2 * frames[21][1]) / 3
    with closing(frames_from(path, between)) as found:
        assert np.array_equal(media.luma_of(next(found)), frames[21][2])
    assert list(frames_from(path, frames[-1][1] + 1)) == []


@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv", "open.mkv"])
def test_it_seeks_where_it_can(shelf: Path, name: str) -> None:
    _, time, luma = read(shelf / name)[40]
    with VideoReader(shelf / name, from_seconds=time) as reader:
        assert np.array_equal(media.luma_of(reader.first_frame), luma)
        assert reader.frames_decoded < 30, "from a key frame on, not from the start"


def test_from_the_middle_of_a_damaged_file(tmp_path: Path) -> None:
    path = media.make_video(tmp_path / "in.mp4", frames=60, options={**media.QUICK, "g": "12"}, size=(160, 96))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 1500] = bytes(1500)
    path.write_bytes(content)
    with VideoReader(path, keep_partial=True) as reader:
        times = [frame.time for frame in reader.frames()]
        assert reader.damaged_packets
    assert [frame.time for frame in frames_from(path, 0.2)] == [time for time in times if time > 0.19]
    with pytest.raises(MediaError, match="damaged"):
        list(frames_from(path, 0.2, keep_partial=False))


# --- cut short ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "avi", "ts", "webm"])
def test_missing_bytes(videos: Path, tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    whole = media.make_video(videos / f"whole.{suffix}", frames=8, codec=codec, options={}, size=(160, 96))
    content = whole.read_bytes()
    assert missing_bytes(whole) == 0
    part = tmp_path / f"part.{suffix}"
    for share in (0.4, 0.7, 0.99):
        cut = int(share * len(content)) // 188 * 188 - 98
        part.write_bytes(content[:cut])
        missing = missing_bytes(part)
        # An mp4 is known up to the end of the box that was cut, a stream up to the end of its packet.
        assert missing == 98 if suffix == "ts" else 0 < missing <= len(content) - cut
        assert suffix in ("mp4", "mov", "ts") or missing == len(content) - cut
    part.write_bytes(content[:9])
    assert missing_bytes(part) >= 0


def test_large_boxes(tmp_path: Path) -> None:
    """Boxes of more than 4 GiB have their size behind their name; here without what it promises."""
    path = tmp_path / "large.mp4"
    kind = (16).to_bytes(4, "big") + b"ftypisom" + bytes(4)
    size = 5 << 30
    path.write_bytes(kind + (1).to_bytes(4, "big") + b"mdat" + size.to_bytes(8, "big") + bytes(100))
    assert missing_bytes(path) == size - 116
    path.write_bytes(kind + (1).to_bytes(4, "big") + b"mdat" + (116).to_bytes(8, "big") + bytes(100))
    assert missing_bytes(path) == 0
    path.write_bytes(kind + bytes(4) + b"mdat" + bytes(100))  # 0: to the end of the file
    assert missing_bytes(path) == 0


def test_recordings_of_unknown_size(video: Path, tmp_path: Path) -> None:
    media.run_ffmpeg("-i", video, "-c", "copy", "-f", "matroska", "-live", "1", tmp_path / "live.mkv")
    content = (tmp_path / "live.mkv").read_bytes()
    (tmp_path / "part.mkv").write_bytes(content[: len(content) // 2])
    assert missing_bytes(tmp_path / "live.mkv") == 0
    assert missing_bytes(tmp_path / "part.mkv") == 0


def test_wild_sizes(tmp_path: Path) -> None:
    """Numbers that lead far out of the file say that something is missing; they are not followed."""
    path = tmp_path / "wild"
    path.write_bytes(bytes.fromhex("1a45dfa3 01fffffffffffffe") + bytes(200))
    assert missing_bytes(path) > 1 << 50
    path.write_bytes(b"RIFF\xff\xff\xff\xffAVI " + bytes(200))
    assert missing_bytes(path) == 0xFFFFFFFF + 8 - 212
    for content in (b"", b"G" * 100, b"\x1a\x45\xdf\xa3", bytes(1000)):
        path.write_bytes(content)
        assert missing_bytes(path) == 0
