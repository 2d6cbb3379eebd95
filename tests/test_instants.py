"""What sources of attention get to see: shots, instants, thumbnails, vectors of the source's own bitstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import media
import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from skimage import data

from stcodec.media.clips import ClipMaker, read_clip
from stcodec.media.decode import VideoReader
from stcodec.media.scaling import Thumbnailer
from stcodec.media.shots import ShotDetector, mark_shots
from stcodec.media.vectors import VectorField
from stcodec.types import Clip, ClipSpec, VideoInfo

Picture = NDArray[np.uint8]
VIDEO = VideoInfo(320, 180, Fraction(1, 1000), Fraction(25), None, None, "yuv420p", 8, "h264")
BIKES_CUTS = [30, 76, 137, 187, 242]
"""Seen on a sheet of its 250 frames; a taxi passes close by before 76, a car before the camera at 96 to 106."""


# --- shots ----------------------------------------------------------------------------------------------------------


def small(pictures: Iterable[Picture]) -> list[Picture]:
    return [np.asarray(cv2.resize(one, (48, 27), interpolation=cv2.INTER_AREA), np.uint8) for one in pictures]


def photograph(name: str, size: tuple[int, int]) -> Picture:
    """One that scikit-image ships, in another size."""
    return np.asarray(cv2.resize(getattr(data, name)(), size), np.uint8)


def starts_in(pictures: Sequence[Picture]) -> list[int]:
    detector = ShotDetector()
    answers = [answer for picture in pictures if (answer := detector.push(picture)) is not None]
    answers += detector.flush()
    assert len(answers) == len(pictures)
    return [index for index, starts in enumerate(answers) if starts]


def shots_of(path: Path) -> list[int]:
    with VideoReader(path) as reader:
        return [index for index, (_, starts) in enumerate(mark_shots(reader.frames(), reader.info)) if starts]


def test_cuts_of_a_real_video(bikes: Path) -> None:
    assert shots_of(bikes) == [0, *BIKES_CUTS]


def test_animation_without_cuts(bunny: Path) -> None:
    assert shots_of(bunny) == [0]


def test_frames_pass_unchanged(video: Path) -> None:
    with VideoReader(video) as reader:
        frames = list(reader.frames())
        marked = list(mark_shots(iter(frames), reader.info))
    assert [frame for frame, _ in marked] == frames
    assert [index for index, (_, starts) in enumerate(marked) if starts] == [0, 15]


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("white", [255, 0])
def test_flash_is_no_cut(length: int, white: int) -> None:
    pictures = small(media.pictures((320, 180), 30))
    for picture in pictures[12 : 12 + length]:
        picture[:] = white
    assert starts_in(pictures) == [0]


def test_three_white_frames_are_a_shot() -> None:
    pictures = small(media.pictures((320, 180), 30))
    for picture in pictures[12:15]:
        picture[:] = 255
    assert starts_in(pictures) == [0, 12]


@pytest.mark.parametrize("step_px", [5, 20, 40, 80])
def test_fast_pan_is_no_cut(step_px: int) -> None:
    """A quarter of the frame in each frame, at the fastest."""
    wide = photograph("rocket", (3600, 400))
    assert starts_in(small(wide[100:280, left : left + 320] for left in range(0, 3200, step_px))) == [0]


@pytest.mark.parametrize("cut", [5, 6, 15, 27, 28, 29])
def test_cut_near_the_ends(cut: int) -> None:
    assert starts_in(small(media.pictures((320, 180), 30, [cut]))) == [0, cut]


@pytest.mark.parametrize("cut", [1, 3, 4])
def test_shortest_shot(cut: int) -> None:
    """Less than five frames are no shot: smoothing would have nothing to work on."""
    assert starts_in(small(media.pictures((320, 180), 30, [cut]))) == [0]
    assert starts_in(small(media.pictures((320, 180), 30, [10, 10 + cut]))) == [0, 10]


def test_fade_and_dissolve_are_not_marked() -> None:
    one, other = small(media.pictures((320, 180), 30)), small(media.pictures((320, 180), 60, [30]))[30:]
    shares = np.linspace(0, 1, 30)
    pairs = list(zip(one, other, shares, strict=True))
    assert starts_in([((1 - share) * a + share * b).astype(np.uint8) for a, b, share in pairs]) == [0]
    assert starts_in([((1 - share) * a).astype(np.uint8) for a, _, share in pairs]) == [0]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_shortest_videos(count: int) -> None:
    assert starts_in(small(media.pictures((320, 180), count))) == [0][:count]


# --- instants -------------------------------------------------------------------------------------------------------


def instants(times: Sequence[float], rate: float, shots: frozenset[int] = frozenset(), fps: int | None = 25) -> list[int]:
    """Which of the frames at these times are taken."""
    info = VideoInfo(320, 180, Fraction(1, 1000), None if fps is None else Fraction(fps), None, None, "gray", 8, "h264")
    maker = ClipMaker(info, ClipSpec(maps_per_second=rate))
    frames: list[Any] = [SimpleNamespace(time=time) for time in times]
    taken = []
    for index, frame in enumerate(frames):
        starts = index == 0 or index in shots
        clip = maker.push(frame, starts)
        if clip is not None:
            assert (clip.pts_seconds.tolist(), clip.shot_starts.tolist()) == ([frame.time], [starts])
            taken.append(index)
    return taken


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
@pytest.mark.parametrize("rate", [1, 2.5, 6, 12])
def test_mean_rate_at_constant_frame_rate(fps: int, rate: float) -> None:
    times = [index / fps for index in range(20 * fps)]
    taken = instants(times, rate, fps=fps)
    assert len(taken) == pytest.approx(20 * rate, abs=1)
    gaps = np.diff([times[index] for index in taken])
    assert gaps.max() - gaps.min() <= 1.001 / fps


def test_mean_rate_at_variable_frame_rate() -> None:
    steps = np.random.default_rng(3).uniform(0.012, 0.055, 900)
    times = np.cumsum(steps)
    taken = instants(times.tolist(), 6, fps=30)
    assert len(taken) / (times[-1] - times[0]) == pytest.approx(6, rel=0.02)


def test_video_of_variable_frame_rate(vfr_mkv: Path) -> None:
    clip = read_clip(vfr_mkv, ClipSpec(maps_per_second=6))
    times = [float(time) for time in media.video_pts(vfr_mkv)]
    gaps = np.diff(clip.pts_seconds)
    assert clip.pts_seconds[0] == times[0] == 1.4
    assert set(np.round(clip.pts_seconds, 4)) <= set(np.round(times, 4))
    # Within half a usual frame of 1/6 s, but for the hole of 0.7 s, behind which it starts anew.
    hole = int(gaps.argmax())
    assert gaps[hole] > 0.7
    assert np.delete(gaps, hole) == pytest.approx(1 / 6, abs=0.045)


def test_one_a_shot() -> None:
    times = [index / 25 for index in range(100)]
    assert instants(times, 0, frozenset({40, 41, 90})) == [0, 40, 41, 90]


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=80),
    st.floats(0.5, 30),
    st.frozensets(st.integers(1, 80), max_size=6),
    st.sampled_from([None, 5, 25, 60]),
)
def test_instants(steps_ms: list[int], rate: float, shots: frozenset[int], fps: int | None) -> None:
    times = (np.cumsum(steps_ms) / 1000).tolist()
    taken = instants(times, rate, shots, fps)
    assert {0, *(shot for shot in shots if shot < len(times))} <= set(taken)
    slack = 0.5 / fps if fps else 0.0
    for before, after in pairwise(taken):
        waited = [times[index] - times[before] for index in range(before + 1, after)]
        # A frame left out is never later than what was due, wherever the count stood.
        assert all(one <= 1 / rate + slack + 1e-9 for one in waited)
    spaced = [index for index in taken[1:] if index not in shots]
    assert len(spaced) <= rate * (times[-1] - times[0] + slack) + 1


# --- thumbnails -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("fast", [True, False])
def test_thumbnails_stand_upright(videos: Path, tmp_path: Path, degrees: int, fast: bool) -> None:
    path = videos / f"upright_{degrees}.mp4"
    if not path.exists():
        media.make_rotated_video(path, degrees, frames=3, size=(320, 176))
    media.run_ffmpeg("-i", path, "-frames:v", "1", tmp_path / "shown.png")  # turns it as a player does
    shown = np.asarray(cv2.imread(str(tmp_path / "shown.png")), np.uint8)[:, :, ::-1]
    with VideoReader(path) as reader:
        thumbnail = Thumbnailer(reader.info, 80, fast=fast)(next(reader.frames()))
        assert (reader.info.display_width_px, reader.info.display_height_px) == shown.shape[1::-1]
    assert thumbnail.shape == ((80, 44, 3) if degrees in (90, 270) else (44, 80, 3))
    wanted = cv2.resize(shown, thumbnail.shape[1::-1], interpolation=cv2.INTER_AREA).astype(float)
    turned = [np.rot90(wanted, 2), wanted[::-1], wanted[:, ::-1]]
    error = np.abs(thumbnail - wanted).mean()
    assert error < (7 if fast else 2.5)
    assert all(np.abs(thumbnail - one).mean() > 2 * error + 3 for one in turned)


@pytest.mark.parametrize(
    ("size", "side", "shape"),
    [((320, 180), 64, (36, 64)), ((180, 320), 64, (64, 36)), ((320, 180), 9999, (180, 320)), ((640, 2), 64, (1, 64))],
)
def test_size_of_thumbnails(size: tuple[int, int], side: int, shape: tuple[int, int]) -> None:
    info = VideoInfo(*size, Fraction(1, 25), Fraction(25), None, None, "yuv420p", 8, "h264")
    thumbnail = Thumbnailer(info, side)(av.VideoFrame(*size, "yuv420p"))
    assert thumbnail.shape == (*shape, 3)
    assert thumbnail.dtype == np.uint8


# --- vectors --------------------------------------------------------------------------------------------------------


def make_pan(path: Path, step: tuple[int, int], bframes: int, prepare: Callable[[Any], None] | None = None) -> Path:
    """A camera that moves over a photograph by whole pixels (x, y) in each of 20 frames, 25 a second."""
    width, height = 320, 192
    scene = photograph("coffee", (900, 600))
    with av.open(str(path), "w") as container:
        options = {"preset": "medium", "bf": str(bframes), "crf": "18", "weightp": "0"}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if prepare is not None:
            prepare(stream)
        for index in range(20):
            left, top = 250 + index * step[0], 200 + index * step[1]
            view = np.ascontiguousarray(scene[top : top + height, left : left + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def velocity(path: Path) -> tuple[list[NDArray[np.float32]], Clip]:
    """The median velocity of each instant that has one, and the clip."""
    clip = read_clip(path, ClipSpec(maps_per_second=6, motion_vectors=True))
    assert clip.motion_vectors is not None
    known = [field for field in clip.motion_vectors if np.isfinite(field).mean() > 0.3]
    return [np.nanmedian(field, axis=(0, 1)) for field in known], clip


# Even steps: at odd ones chroma moves by half pixels, and x264 rather takes the frame before the last.
@pytest.mark.parametrize("step", [(4, 0), (-6, 2), (0, -4), (6, 4)])
@pytest.mark.parametrize("bframes", [0, 2])
def test_velocity_of_a_pan(tmp_path: Path, step: tuple[int, int], bframes: int) -> None:
    """The camera goes one way, what it sees goes the other."""
    found, clip = velocity(make_pan(tmp_path / "pan.mp4", step, bframes))
    assert clip.motion_vectors is not None
    assert clip.motion_vectors.shape[1:] == (12, 20, 2)
    assert np.isnan(clip.motion_vectors[0]).all()
    assert len(found) >= 3
    wanted = -25 * np.array(step)
    for one in found:
        assert one == pytest.approx(wanted, abs=0.1 * float(np.abs(wanted).max()))


@pytest.mark.parametrize(("degrees", "turn"), [(90, [[0, -1], [1, 0]]), (180, [[-1, 0], [0, -1]]), (270, [[0, 1], [-1, 0]])])
def test_velocity_as_a_player_shows_it(tmp_path: Path, degrees: int, turn: list[list[int]]) -> None:
    path = make_pan(tmp_path / "pan.mp4", (8, 4), 0, lambda stream: stream.set_display_rotation(-degrees))
    found, clip = velocity(path)
    assert clip.motion_vectors is not None
    assert clip.motion_vectors.shape[1:3] == ((20, 12) if degrees in (90, 270) else (12, 20))
    assert len(found) >= 3
    for one in found:
        assert one == pytest.approx(-25 * np.array(turn) @ [8, 4], abs=20)


def test_place_of_vectors_in_a_turned_video(tmp_path: Path) -> None:
    """A disc that moves in the left half of the coded frame is at the top when it is shown turned clockwise."""
    path = tmp_path / "disc.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"bf": "0", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.set_display_rotation(-90)
        ground, disc = photograph("coffee", (320, 192)), photograph("chelsea", (451, 300))[60:140, 120:200]
        for index in range(20):
            view = ground.copy()
            view[10 + 4 * index : 90 + 4 * index, 30:110] = disc
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    clip = read_clip(path, ClipSpec(maps_per_second=6, motion_vectors=True))
    assert clip.motion_vectors is not None
    speed = np.nanmean(np.linalg.norm(clip.motion_vectors[1:], axis=-1), axis=0)
    rows, _ = np.nonzero(np.nan_to_num(speed) > 40)
    assert len(rows) > 8
    assert rows.mean() < 20 / 2 - 2
    moving = clip.motion_vectors[1:][:, np.nan_to_num(speed) > 40]
    assert np.nanmedian(moving, axis=(0, 1)) == pytest.approx([-100, 0], abs=10)


def test_a_new_shot_has_no_motion(videos: Path) -> None:
    path = media.make_video(videos / "vectors.mp4", frames=40, cuts=[20], options={"preset": "medium", "bf": "0"})
    clip = read_clip(path, ClipSpec(maps_per_second=6, motion_vectors=True))
    assert clip.motion_vectors is not None
    assert clip.pts_seconds[clip.shot_starts].tolist() == [0.0, 0.8]
    known = np.isfinite(clip.motion_vectors).mean(axis=(1, 2, 3))
    assert (known[clip.shot_starts] == 0).all()
    assert (known[~clip.shot_starts] > 0.3).all()


def test_source_without_vectors(videos: Path) -> None:
    path = media.make_video(videos / "intra.mkv", codec="ffv1", options={}, frames=12)
    clip = read_clip(path, ClipSpec(maps_per_second=6, motion_vectors=True))
    assert clip.motion_vectors is not None
    assert np.isnan(clip.motion_vectors).all()
    assert np.isnan(VectorField(VIDEO).take()).all()
