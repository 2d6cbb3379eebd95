"""Sources that read maps and masks from files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import FIXED_SETTINGS, attend_in_pieces, make_clip, make_video, same
from hypothesis import given, strategies as st
from PIL import Image

from stcodec.attention.map_file import MapFileSource, MaskSource
from stcodec.errors import AttentionError, MediaError
from stcodec.media.maps import MapWriter
from stcodec.types import FloatArray, VideoInfo

DATA = Path(__file__).parents[2] / "shared" / "data"


def write_maps(
    path: Path, video: VideoInfo, times: list[float], maps: list[FloatArray], shots: tuple[int, ...] = (0,)
) -> Path:
    with MapWriter(path, video, {"STCODEC_SOURCE": "test"}) as writer:
        for index, (pts, saliency) in enumerate(zip(times, maps, strict=True)):
            writer.add(pts, saliency, index in shots)
    return path


def flat(value: float, shape: tuple[int, int] = (9, 16)) -> FloatArray:
    return np.full(shape, value, np.float32)


# --- map:


def test_map_is_interpolated_by_time(tmp_path: Path) -> None:
    video = make_video(start=1.4)
    path = write_maps(tmp_path / "m.mkv", video, [2.4, 3.4], [flat(0.2), flat(0.6)])
    found = MapFileSource(path).attend(make_clip(video, [1.4, 2.4, 2.65, 3.2, 3.4, 5.3]))
    assert found.saliency[:, 4, 7] == pytest.approx([0.2, 0.2, 0.3, 0.52, 0.6, 0.6], abs=1e-5)
    assert found.source == f"map:{path}"
    assert (found.frame_width_px, found.frame_height_px) == (320, 180)


def test_map_is_not_interpolated_into_the_next_shot(tmp_path: Path) -> None:
    video = make_video()
    path = write_maps(tmp_path / "m.mkv", video, [0, 1, 2], [flat(0.2), flat(0.4), flat(1.0)], shots=(0, 2))
    found = MapFileSource(path).attend(make_clip(video, [0, 0.5, 1.0, 1.5, 1.999, 2.0, 2.5, 3.0]))
    assert found.saliency[:, 0, 0] == pytest.approx([0.2, 0.3, 0.4, 0.4, 0.4, 1, 1, 1], abs=1e-5)
    assert found.shot_starts.tolist() == [True, False, False, False, False, True, False, False]


def test_shots_of_map_and_clip_both_count(tmp_path: Path) -> None:
    video = make_video()
    path = write_maps(tmp_path / "m.mkv", video, [0, 1, 1.1], [flat(0.2), flat(0.4), flat(1.0)], shots=(0, 1))
    found = MapFileSource(path).attend(make_clip(video, [0, 0.9, 1.3, 2.0, 2.1], shots=(0, 3)))
    assert found.shot_starts.tolist() == [True, False, True, True, False]


def test_instants_a_rounding_apart_take_the_map_itself(tmp_path: Path) -> None:
    video = make_video()
    times = [index / 24 for index in range(48)]
    maps = [np.random.default_rng(index).random((9, 16), dtype=np.float32) for index in range(48)]
    found = MapFileSource(write_maps(tmp_path / "m.mkv", video, times, maps)).attend(make_clip(video, times))
    assert np.abs(found.saliency - np.stack(maps)).max() <= 1 / 510 + 1e-6


@given(st.sets(st.integers(1, 40)), st.integers(0, 5))
@FIXED_SETTINGS
def test_map_does_not_depend_on_the_cutting(tmp_path: Path, cuts: set[int], seed: int) -> None:
    video = make_video()
    rng = np.random.default_rng(seed)
    times = np.sort(rng.choice(3999, 20, replace=False) / 1000).tolist()
    maps = [rng.random((9, 16), dtype=np.float32) for _ in times]
    source = MapFileSource(write_maps(tmp_path / f"{seed}.mkv", video, times, maps, shots=(0, 7)))
    clip = make_clip(video, np.sort(rng.uniform(0, 4, 41)).tolist(), shots=(0, 11))
    assert same(attend_in_pieces(source, clip, cuts), source.attend(clip))


def test_map_rate_is_the_files_own_up_to_30(tmp_path: Path) -> None:
    def rate(per_second: float) -> float:
        times = [index / per_second for index in range(100)]
        path = write_maps(tmp_path / f"{per_second}.mkv", make_video(), times, [flat(1.0)] * 100)
        return MapFileSource(path).spec.maps_per_second

    assert rate(6) == pytest.approx(6, rel=0.001)
    assert rate(29.97) == pytest.approx(29.97, rel=0.002)
    assert rate(120) == 30


def test_static_map_needs_one_instant(tmp_path: Path) -> None:
    Image.fromarray((flat(0.5, (180, 320)) * 255).round().astype(np.uint8)).save(tmp_path / "m.png")
    source = MapFileSource(tmp_path / "m.png")
    assert source.spec.maps_per_second == 0
    assert not source.spec.shots
    assert source.spec.thumbnail_side_px == 0
    found = source.attend(make_clip(make_video(seconds=500.0), [0, 250, 499]))
    assert np.all(found.saliency == np.float32(128 / 255))


def test_pictures_spread_over_the_video(tmp_path: Path) -> None:
    for index in range(4):
        Image.fromarray(np.full((90, 160), 60 * index + 60, np.uint8)).save(tmp_path / f"{index:04d}.png")
    source = MapFileSource(tmp_path / "%04d.png")
    found = source.attend(make_clip(make_video(seconds=8.0), [0, 2, 3, 4, 6, 7]))
    assert found.saliency[:, 0, 0] * 255 == pytest.approx([60, 120, 150, 180, 240, 240], abs=0.01)
    timed = MapFileSource(tmp_path / "%04d.png", fps=1)
    assert timed.attend(make_clip(make_video(seconds=4.0), [0, 1.5])).saliency[1, 0, 0] * 255 == pytest.approx(150)
    with pytest.raises(AttentionError, match=r"the maps last 4\.00 s, the video 8\.00 s"):
        timed.open(make_video(seconds=8.0))
    with pytest.raises(MediaError, match="give fps"):
        source.open(make_video(seconds=None))


def test_large_maps_are_averaged_down(tmp_path: Path) -> None:
    picture = np.zeros((540, 960), np.uint8)
    picture[:, ::2] = 255
    Image.fromarray(picture).save(tmp_path / "m.png")
    found = MapFileSource(tmp_path / "m.png").attend(make_clip(make_video((1920, 1080)), [0]))
    assert found.saliency.shape == (1, 270, 480)
    assert np.allclose(found.saliency, 0.5, atol=0.01)


@pytest.mark.parametrize(("seconds", "fits"), [(4.4, True), (3.6, True), (4.6, False), (3.4, False), (None, True)])
def test_map_of_another_duration_is_refused(tmp_path: Path, seconds: float | None, fits: bool) -> None:
    source = MapFileSource(write_maps(tmp_path / "m.mkv", make_video(), [0, 1], [flat(1.0)] * 2))
    video = make_video(seconds=seconds)
    if fits:
        source.open(video)
    else:
        with pytest.raises(AttentionError, match=rf"the maps last 4\.00 s, the video {seconds:.2f} s: .*make the maps"):
            source.open(video)


def test_map_of_another_duration_where_the_video_names_none(tmp_path: Path) -> None:
    source = MapFileSource(write_maps(tmp_path / "m.mkv", make_video(), [0, 1], [flat(1.0)] * 2))
    video = make_video(seconds=None, start=1.4)
    assert len(source.attend(make_clip(video, [1.4, 3.4, 5.2]))) == 3
    with pytest.raises(AttentionError, match=r"the maps last 4\.00 s, the video 8\.00 s"):
        source.attend(make_clip(video, [1.4, 3.4, 9.4]))


def test_long_videos_may_differ_by_five_percent(tmp_path: Path) -> None:
    source = MapFileSource(write_maps(tmp_path / "m.mkv", make_video(seconds=100.0), [0, 1], [flat(1.0)] * 2))
    source.open(make_video(seconds=96.0))
    with pytest.raises(AttentionError, match=r"100\.00 s, the video 95\.00 s"):
        source.open(make_video(seconds=95.0))


@pytest.mark.parametrize(
    ("maps", "video", "fits"),
    [
        ((160, 90), (1280, 720), True),
        ((160, 90), (1366, 768), True),
        ((40, 23), (640, 360), True),
        ((20, 12), (320, 180), True),
        ((160, 90), (720, 1280), False),
        ((160, 120), (1280, 720), False),
        ((160, 98), (1280, 720), False),
        ((160, 84), (1280, 720), False),
    ],
)
def test_map_of_another_shape_is_refused(tmp_path: Path, maps: tuple[int, int], video: tuple[int, int], fits: bool) -> None:
    Image.fromarray(np.full(maps[::-1], 200, np.uint8)).save(tmp_path / "m.png")
    source = MapFileSource(tmp_path / "m.png")
    if fits:
        source.open(make_video(video))
    else:
        shown = f"the maps are {maps[0]}x{maps[1]}, the video is shown as {video[0]}x{video[1]}: "
        with pytest.raises(AttentionError, match=shown):
            source.open(make_video(video))


def test_maps_are_in_display_orientation(tmp_path: Path) -> None:
    Image.fromarray(np.full((160, 90), 200, np.uint8)).save(tmp_path / "m.png")
    turned = replace(make_video((1280, 720)), rotation_degrees=90)
    MapFileSource(tmp_path / "m.png").open(turned)
    with pytest.raises(AttentionError, match="shown as 1280x720"):
        MapFileSource(tmp_path / "m.png").open(make_video((1280, 720)))


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    """PAL widescreen: 720x576 shown as 1024x576; maps of either shape cover it."""
    video = replace(make_video((720, 576)), sample_aspect_ratio=Fraction(64, 45))
    for size in ((102, 58), (90, 72)):
        Image.fromarray(np.full(size[::-1], 200, np.uint8)).save(tmp_path / "m.png")
        MapFileSource(tmp_path / "m.png").open(video)
    turned = replace(video, rotation_degrees=90)
    Image.fromarray(np.full((102, 58), 200, np.uint8)).save(tmp_path / "m.png")
    MapFileSource(tmp_path / "m.png").open(turned)


def test_own_coarse_maps_fit_their_own_video(tmp_path: Path) -> None:
    """A grid of 3x2 blocks covers 320x180 though its shape is another."""
    video = make_video((320, 180))
    source = MapFileSource(write_maps(tmp_path / "m.mkv", video, [0], [flat(0.5, (2, 3))]))
    source.open(video)
    with pytest.raises(AttentionError, match="the maps are 320x180"):
        source.open(make_video((240, 180)))


def test_black_maps(tmp_path: Path) -> None:
    video = make_video()
    some = MapFileSource(write_maps(tmp_path / "a.mkv", video, [0, 2], [flat(0.0), flat(0.5)], shots=(0, 1)))
    assert some.attend(make_clip(video, [0, 1, 2])).saliency[:, 0, 0] == pytest.approx([1, 1, 0.5], abs=0.01)
    for number, source in enumerate((MapFileSource, MaskSource)):
        path = write_maps(tmp_path / f"{number}.mkv", video, [0, 2], [flat(0.0)] * 2)
        with pytest.raises(AttentionError, match="every map in it is black"):
            source(path).open(video)


def test_map_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    video = make_video(seconds=10.0)
    maps = [np.random.default_rng(index).random((45, 80), dtype=np.float32) for index in range(100)]
    path = write_maps(tmp_path / "m.mkv", video, [index / 10 for index in range(100)], maps)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"(ends after|damaged after)"):
        MapFileSource(path).attend(make_clip(video, [index / 5 for index in range(50)]))


# --- mask:


def test_mask_keeps_what_is_white_and_softens_outside(tmp_path: Path) -> None:
    mask = np.zeros((180, 320), np.uint8)
    mask[60:120, 100:200] = 255
    mask[20:22, 300:302] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    source = MaskSource(tmp_path / "m.png")
    found = source.attend(make_clip(make_video(), [0])).saliency[0]
    assert source.name.startswith("mask:")
    assert np.all(found[mask == 255] == 1)
    profile = found[90, 200:230]
    assert np.all(np.diff(profile)[:15] < 0)
    assert profile[0] > 0.9
    # 2 % of 320 px: at one sigma outside the edge twice the Gaussian's tail, 2 * 0.159.
    assert profile[6] == pytest.approx(2 * 0.159, abs=0.05)
    assert profile[25] < 0.01
    assert found[150, 20] == 0


def test_gray_in_a_mask_stays_gray(tmp_path: Path) -> None:
    mask = np.full((180, 320), 102, np.uint8)
    mask[:, 160:] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    found = MaskSource(tmp_path / "m.png").attend(make_clip(make_video(), [0])).saliency[0]
    assert found[90, 20] == pytest.approx(0.4, abs=1e-3)
    assert found[90, 300] == 1
    assert np.all(np.diff(found[90]) >= -1e-6)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_mask_of_a_real_object() -> None:
    video = make_video((854, 480), seconds=3.75)
    source = MaskSource(DATA / "object-masks" / "camel.mask.mkv")
    found = source.attend(make_clip(video, [index / 24 for index in range(90)]))
    assert found.saliency.shape == (90, 270, 480)
    shares = (found.saliency > 0.99).mean(axis=(1, 2))
    assert 0.02 < shares.min() < shares.max() < 0.6
