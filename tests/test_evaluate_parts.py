"""The parts that an evaluation is made of, one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import av
import media
import numpy as np
import pytest
import viewers
from clips import FIXED_SETTINGS
from hypothesis import given, strategies as st

import stcodec
from stcodec.attention.gaze import GazeSource
from stcodec.cli.command import parser
from stcodec.errors import AttentionError, MediaError, OptionsError
from stcodec.evaluate.catalogue import CATALOGUE, DEFAULT_METRICS, choose_metrics, frame_scores, pooled
from stcodec.evaluate.clips import find_clips
from stcodec.evaluate.colours import coloured, enlarged
from stcodec.evaluate.gaze import split_observers
from stcodec.evaluate.guidance import Guide, MapsTask, write_weights
from stcodec.evaluate.options import EvaluateOptions, parse_presets
from stcodec.evaluate.pairs import time_shift
from stcodec.evaluate.pictures import matching_crf
from stcodec.evaluate.provenance import encoder_signature
from stcodec.evaluate.reference import ReferenceTask
from stcodec.evaluate.results import Arm, Curve, Metric, Point
from stcodec.evaluate.summary import best_arm, headlines, savings
from stcodec.media.decode import VideoReader
from stcodec.media.lossless import scaled_size, write_lossless
from stcodec.media.maps import read_maps
from stcodec.media.pictures import write_still
from stcodec.media.planes import PlaneReader
from stcodec.metrics.foveated import VIEWING_DISTANCE
from stcodec.work.cache import Cache, content_hash, key_of, open_cache

# --- scores ---------------------------------------------------------------------------------------------------------


def test_psnr_is_pooled_as_error_and_the_others_as_means() -> None:
    assert pooled("psnr-whole", [1.0, 100.0])["psnr-whole"] == pytest.approx(10 * math.log10(255**2 / 50.5))
    assert pooled("vmaf-whole", [90.0, 50.0])["vmaf-whole"] == 70
    assert frame_scores("psnr-whole", [255.0**2, 0.0]) == [0, math.inf]


def test_xpsnr_is_pooled_by_root_errors_and_without_its_first_frame() -> None:
    """As ffmpeg's filter: the mean of the roots, 1 and 3 here, is 2."""
    raw = [math.nan, 0.0, -20 * math.log10(3)]
    assert pooled("xpsnr-whole", raw)["xpsnr-whole"] == pytest.approx(-20 * math.log10(2))


def test_the_worst_frames_are_those_of_most_banding() -> None:
    frames = [float(value) for value in range(40)]
    assert pooled("vmaf-whole", frames)["vmaf-whole-worst5"] == 0.5
    assert pooled("cambi-whole", frames)["cambi-whole-worst5"] == 38.5


def test_nothing_to_pool() -> None:
    assert all(math.isnan(value) for value in pooled("ssim-whole", [math.nan]).values())


def test_choice_of_metrics() -> None:
    first = [one.name for one in choose_metrics(["vmaf", "psnr"], has_weights=True)][:3]
    assert first == ["psnr-attended", "psnr-foveated", "psnr-whole"]
    assert [one.name for one in choose_metrics(["all"], has_weights=False)] == [
        "psnr-whole", "ssim-whole", "vmaf-whole", "vmaf-neg", "xpsnr-whole", "cambi-whole",
    ]  # fmt: skip
    assert {one.name for one in choose_metrics(["all"], has_weights=True)} == set(CATALOGUE) - {"fvvdp", "cvvdp"}
    with pytest.raises(OptionsError, match="psnr-attended needs to know where people look"):
        choose_metrics(["psnr-attended"], has_weights=False)
    for line in (["evaluate", "a.mp4", "--report", "x"], ["compare", "a.mp4", "b.mp4"]):
        given = parser().parse_args(line)
        assert given.metrics == ",".join(DEFAULT_METRICS) and given.viewing_distance == VIEWING_DISTANCE


# --- BD-rates -------------------------------------------------------------------------------------------------------

PSNR = Metric("psnr-attended", "attended PSNR", "dB", "attended")
CAMBI = Metric("cambi-whole", "CAMBI", "", "whole", higher_is_better=False)
RATES = (1000.0, 2000.0, 4000.0, 8000.0)


def make_curve(clip: str, arm: str, factor: float, self_weighted: bool = False) -> Curve:
    """The plain curve's quality at so many times its bits."""
    points = (
        Point(None, rate * factor, 1, 1, {"psnr-attended": 30.0 + 3 * number, "cambi-whole": 1.0}, {})
        for number, rate in enumerate(RATES)
    )
    return Curve(clip, "libx264", arm, self_weighted, tuple(points))


def test_means_intervals_and_shares() -> None:
    saved = {"human": (0.5, 0.6, 0.7), "motion": (0.8, 0.8, 1.1), "cheat": (0.3, 0.3, 0.3)}
    curves = [make_curve(clip, "plain", 1.0) for clip in "abc"]
    curves += [
        make_curve(clip, arm, factor, arm == "cheat")
        for arm, factors in saved.items()
        for clip, factor in zip("abc", factors, strict=True)
    ]
    found = savings(curves, [PSNR, CAMBI])
    assert {one.metric for one in found} == {"psnr-attended"}
    arms = [Arm("plain", "none", ""), *(Arm(name, name, "") for name in saved)]
    lines = {line.arm: line for line in headlines(found, ["libx264"], arms, [PSNR])}
    for arm, factors in saved.items():
        rates = [100 * (factor - 1) for factor in factors]
        assert lines[arm].bd_rate_percent == pytest.approx(np.mean(rates), abs=0.01)
        low, high = lines[arm].low_percent, lines[arm].high_percent
        assert low is not None and high is not None
        assert min(rates) - 0.01 <= low <= np.mean(rates) + 0.01 and np.mean(rates) - 0.01 <= high <= max(rates) + 0.01
    assert lines["motion"].share_of_human == pytest.approx(10 / 40, abs=1e-3)
    assert best_arm(lines.values(), "libx264", "psnr-attended") == "motion"
    assert best_arm([lines["human"], lines["cheat"]], "libx264", "psnr-attended") == "human"


def test_a_clip_without_a_bd_rate_is_not_in_the_mean_and_said() -> None:
    curves = [make_curve(clip, arm, factor) for clip in "ab" for arm, factor in (("plain", 1.0), ("motion", 0.8))]
    high = tuple(
        Point(None, point.kbps, 1, 1, {"psnr-attended": (point.scores["psnr-attended"] or 0) + 20}, {})
        for point in curves[3].points
    )
    curves[3] = Curve("b", "libx264", "motion", False, high)
    (line,) = headlines(savings(curves, [PSNR]), ["libx264"], [Arm("motion", "motion", "")], [PSNR])
    assert line.clips == 1 and line.bd_rate_percent == pytest.approx(-20, abs=0.01)
    assert len(line.refused) == 1 and line.refused[0].startswith("b: the qualities of the curves overlap by 0%")
    assert line.low_percent is None


def test_the_crf_of_a_rate() -> None:
    points = [(22.0, 4000.0), (30.0, 1000.0)]
    assert matching_crf(2000, points, whole=False) == pytest.approx(26)
    assert matching_crf(2100, points, whole=True) == 26
    assert matching_crf(500, points, whole=False) == pytest.approx(36)  # beyond: 6 steps halve the rate
    assert matching_crf(8000, points[:1], whole=False) == pytest.approx(16)


# --- pairs ----------------------------------------------------------------------------------------------------------


@FIXED_SETTINGS
@given(
    st.lists(st.floats(0.01, 0.2), min_size=3, max_size=30),
    st.floats(-5, 5),
    st.sampled_from([0.0, 0.0005, -0.0005, 0.001]),
)
def test_frames_find_their_partners(gaps: Sequence[float], offset: float, rounding: float) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)]) + 1
    found = time_shift(times, times + offset + rounding, "file")
    assert abs(found - offset) < 0.0046


@pytest.mark.parametrize("offset", [0.03125, -0.03125])
def test_a_shift_of_less_than_half_a_frame_is_found(offset: float) -> None:
    times = np.array([0.0, 0.125, 0.25, 0.375])
    assert time_shift(times, times + offset, "file") == offset


@FIXED_SETTINGS
@given(st.lists(st.floats(0.02, 0.2), min_size=4, max_size=30), st.data())
def test_a_missing_frame_is_named(gaps: Sequence[float], data: st.DataObject) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    dropped = data.draw(st.integers(0, len(times) - 1))
    with pytest.raises(MediaError) as raised:
        time_shift(times, np.delete(times, dropped), "file")
    assert "has no frame at " in str(raised.value) or "frames a second" in str(raised.value)
    if 0 < dropped < len(times) - 1 and "has no frame at" in str(raised.value):
        assert f"has no frame at {times[dropped]:.3f} s (1 of" in str(raised.value)


# --- clips and gaze -------------------------------------------------------------------------------------------------


def test_folders_patterns_and_files(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mkv", "a.csv", "a.mask.mkv", "lone.mask.mkv", "notes.txt", ".hidden.mp4", "odd[1].mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gaze").mkdir()
    (tmp_path / "gaze" / "b.csv").write_bytes(b"x")
    found = find_clips([str(tmp_path)], None)
    assert [clip.name for clip in found] == ["a", "b", "lone.mask", "odd[1]"]
    assert [clip.gaze for clip in found][:2] == [tmp_path / "a.csv", None]
    found = find_clips([str(tmp_path / "b.mp4"), str(tmp_path / "*.m*4"), str(tmp_path / "odd[1].mp4")], tmp_path / "gaze")
    assert [clip.name for clip in found] == ["b", "odd[1]"]
    assert found[0].gaze == tmp_path / "gaze" / "b.csv"


def test_observers_are_cut_in_two_the_same_way_each_time(tmp_path: Path) -> None:
    gaze = viewers.make_gaze(tmp_path / "gaze.csv", [(10, 10)], observers=7)
    split = split_observers(gaze, 0)
    assert split == split_observers(gaze, 0) != split_observers(gaze, 1)
    assert (len(split.guiding), len(split.judging)) == (3, 4)
    assert set(split.guiding) | set(split.judging) == set(range(1, 8)) and not set(split.guiding) & set(split.judging)
    assert split.description == "gaze of 4 of 7 observers"
    with pytest.raises(AttentionError, match="has one observer"):
        split_observers(viewers.make_gaze(tmp_path / "one.csv", [(10, 10)], observers=1), 0)


def test_self_weighted_is_told_by_content(tmp_path: Path) -> None:
    gaze = viewers.make_gaze(tmp_path / "gaze.csv", [(10, 10)])
    copy, other = tmp_path / "copy.csv", viewers.make_gaze(tmp_path / "other.csv", [(20, 10)])
    copy.write_bytes(gaze.read_bytes())
    seen = Guide(f"gaze:{gaze}", (1, 2))
    assert Guide(f"gaze:{copy}").shares_with(seen)
    assert not Guide(f"gaze:{copy}", (3, 4)).shares_with(seen)
    assert not Guide(f"gaze:{other}").shares_with(seen)
    assert Guide("0.7*motion+0.3*center").shares_with(Guide("center"))
    assert not Guide("motion").shares_with(Guide("center"))


def test_self_weighted_is_told_whatever_the_options(video: Path, tmp_path: Path) -> None:
    assert Guide("neural:causal,device=cpu").shares_with(Guide("neural"))
    assert Guide("0.5*neural:window=0.8+0.5*center").shares_with(Guide("neural:causal"))
    maps = tmp_path / "maps.mkv"
    stcodec.maps(video, maps, attention="0.5*motion+0.5*center")
    for guide in ("motion", "0.2*center+0.8*neural"):
        assert Guide(guide).shares_with(Guide(f"map:{maps}"))
    assert not Guide("neural").shares_with(Guide(f"map:{maps}"))
    assert Guide(f"mask:{maps}").shares_with(Guide(f"map:{maps}"))


def test_weights_are_the_density_at_each_frame_in_coded_orientation(rotated_mp4: Path, tmp_path: Path) -> None:
    """Shown as 180x320; the viewers look at the top left, then at the bottom right, of what is shown."""
    gaze = viewers.make_gaze(tmp_path / "gaze.csv", [(20, 30), (160, 290)], spread_px=0.1, seconds=1.2)
    write_weights(rotated_mp4, Guide(f"gaze:{gaze}"), 30, tmp_path / "weights.npy")
    weights = np.load(tmp_path / "weights.npy")
    assert weights.shape[0] == 30 and weights.shape[2] > weights.shape[1]  # coded 320x180
    with VideoReader(rotated_mp4) as reader:
        turns = -reader.info.rotation_degrees // 90
    for index, (x, y) in ((0, (20, 30)), (14, (20, 30)), (15, (160, 290)), (29, (160, 290))):
        shown = np.rot90(weights[index], turns)
        row, column = np.unravel_index(shown.argmax(), shown.shape)
        assert (column + 0.5) / shown.shape[1] * 180 == pytest.approx(x, abs=4)
        assert (row + 0.5) / shown.shape[0] * 320 == pytest.approx(y, abs=4)


def test_maps_of_a_cut_and_scaled_clip_come_from_the_original(video: Path, tmp_path: Path) -> None:
    gaze = viewers.make_gaze(tmp_path / "video.csv", [(280, 30)], spread_px=0.1, seconds=2)
    (clip,) = find_clips([str(video)], gaze)
    with open_cache(tmp_path / "cache") as cache:
        reference = ReferenceTask(clip, EvaluateOptions(frames=10, scale=0.5), cache).run()
        assert (reference.width_px, reference.height_px, len(reference.seconds)) == (160, 90, 10)
        maps = MapsTask(reference, Guide(f"gaze:{gaze}"), cache).run()
        found = list(read_maps(maps.path))
        assert found[-1][0] < 10 / 25
        _, column = np.unravel_index(found[0][1].argmax(), found[0][1].shape)
        assert (column + 0.5) / found[0][1].shape[1] == pytest.approx(280 / 320, abs=0.02)
        made = maps.path.stat().st_mtime_ns
        assert MapsTask(reference, Guide(f"gaze:{gaze}"), cache).run().path.stat().st_mtime_ns == made
        assert MapsTask(reference, Guide(f"gaze:{gaze}", (1, 2)), cache).run().path != maps.path
        assert reference.shots == (0.0,)


def test_the_observers_of_a_recording(tmp_path: Path) -> None:
    source = GazeSource(viewers.make_gaze(tmp_path / "gaze.csv", [(10, 10), (20, 20)], observers=3))
    assert sorted(source.fixations.observer) == [1, 1, 2, 2, 3, 3]


# --- cache ----------------------------------------------------------------------------------------------------------


def test_entries_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    with open_cache(tmp_path) as cache:
        place = cache.place("kind", key_of(a=1), ".json")
        with pytest.raises(RuntimeError), cache.writing(place) as temporary:
            temporary.write_text("half")
            raise RuntimeError
        assert not place.exists() and [one.name for one in cache.work.iterdir()] == [".stcodec-lock"]
        cache.write_json(place, [1.5, math.inf])
        assert cache.read_json(place) == [1.5, math.inf]
    assert not cache.work.exists()
    with pytest.raises(MediaError, match="can't be used as a cache"), open_cache(place):
        pass


def test_keys_tell_everything_apart(tmp_path: Path) -> None:
    assert key_of(a=1, b={"x": 1, "y": 2}) == key_of(b={"y": 2, "x": 1}, a=1)
    assert len({key_of(a=1), key_of(a=2), key_of(b=1), key_of(a="1"), key_of(a=None)}) == 5
    (tmp_path / "one").write_bytes(b"same")
    (tmp_path / "other").write_bytes(b"same")
    assert content_hash(tmp_path / "one") == content_hash(tmp_path / "other")
    whole = content_hash(tmp_path)
    (tmp_path / "other").rename(tmp_path / "another")
    assert content_hash(tmp_path) != whole
    with pytest.raises(MediaError, match="can't be read"):
        content_hash(tmp_path / "missing")
    assert Cache(tmp_path, tmp_path).place("k", "a" * 64, ".x") != Cache(tmp_path, tmp_path).place("k", "b" * 64, ".x")


# --- media ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["video", "vfr_mp4", "rotated_mp4", "hdr10_mkv", "odd_mp4", "bframes_avi"])
def test_a_lossless_part_holds_the_same_pictures_at_the_same_times(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(name)
    with VideoReader(path) as reader:
        assert write_lossless(reader, tmp_path / "part.mp4", frames=9) == 9
    with VideoReader(path) as reader, VideoReader(tmp_path / "part.mp4") as part:
        ours, theirs = list(part.frames()), [frame for _, frame in zip(range(9), reader.frames(), strict=False)]
        assert (part.info.rotation_degrees, part.info.colour) == (reader.info.rotation_degrees, reader.info.colour)
    assert len(ours) == 9
    for one, other in zip(ours, theirs, strict=True):
        assert one.format.name == other.format.name
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())
        assert one.time - ours[0].time == pytest.approx(other.time - theirs[0].time, abs=1e-4)


def test_sizes_are_even() -> None:
    assert scaled_size(1280, 720, 0.5) == (640, 360)
    assert scaled_size(1366, 768, 0.5) == (684, 384)
    assert scaled_size(321, 179, 1) == (321, 179)
    assert scaled_size(40, 20, 0.1) == (16, 16)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "gray10le"])
def test_planes_are_the_samples_of_the_file(pix_fmt: str) -> None:
    rng = np.random.default_rng(3)
    frame = av.VideoFrame(66, 34, pix_fmt)
    deep = "10" in pix_fmt
    for plane in frame.planes:
        size = plane.buffer_size
        plane.update(
            (rng.integers(0, 1024, size // 2, np.uint16) if deep else rng.integers(0, 256, size, np.uint8)).tobytes()
        )
    luma = media.luma_of(frame)
    for form in ("yuv420p", "yuv420p10le")[deep:]:
        planes = PlaneReader(form)(frame)
        assert [plane.shape for plane in planes] == [(34, 66), (17, 33), (17, 33)]
        wide = form.endswith("10le")
        assert all(plane.dtype == (np.uint16 if wide else np.uint8) for plane in planes)
        if pix_fmt != "yuvj420p" or not wide:  # full range maps 255 to 1023
            assert np.array_equal(planes[0], luma if deep == wide else luma.astype(np.uint16) * 4)


def test_encoders_sign_their_files(video: Path, hdr10_mkv: Path, tmp_path: Path) -> None:
    assert encoder_signature(video)["x264"].isdecimal()
    assert set(encoder_signature(hdr10_mkv)) == {"x265"}
    media.make_video(tmp_path / "plain.mkv", codec="ffv1", options={}, frames=2)
    assert encoder_signature(tmp_path / "plain.mkv") == {}


def test_pictures(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (32, 1))
    picture = coloured(ramp)
    assert picture.shape == (32, 64, 3) and picture[0, 0].sum() < 10 and picture[0, -1].sum() > 600
    write_still(tmp_path / "ramp.webp", picture)
    with av.open(str(tmp_path / "ramp.webp")) as container:
        back = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(back.astype(int) - picture).mean() < 12
    cells = np.array([[0.0, 1.0]], np.float32)
    assert enlarged(cells, (2, 4)).tolist() == [[0, 0.25, 0.75, 1]] * 2
    assert enlarged(cells, (1, 4), smooth=False).tolist() == [[0, 0, 1, 1]]


def test_presets_by_encoder() -> None:
    options = EvaluateOptions(presets=parse_presets("medium,libvpx-vp9=8"))
    assert [options.preset_for(name) for name in ("libx264", "libvpx-vp9")] == ["medium", "8"]
    assert EvaluateOptions(halve=True).scale_for(720) == 0.5 and EvaluateOptions(halve=True).scale_for(719) == 1


@pytest.mark.parametrize("pix_fmt", ["argb", "rgb24"])
def test_packed_colours_are_copied_without_loss(video: Path, tmp_path: Path, pix_fmt: str) -> None:
    """FFV1 has no such format: it holds the same values in another order."""
    source, copy = tmp_path / "source.mov", tmp_path / "copy.mp4"
    media.run_ffmpeg("-i", video, "-frames:v", "3", "-c:v", "qtrle", "-pix_fmt", pix_fmt, source)
    with VideoReader(source) as reader:
        assert reader.info.pix_fmt == pix_fmt
        assert write_lossless(reader, copy) == 3
    with VideoReader(source) as one, VideoReader(copy) as other:
        for before, after in zip(one.frames(), other.frames(), strict=True):
            colours = [frame.reformat(format="rgb24").to_ndarray() for frame in (before, after)]
            assert np.array_equal(colours[0], colours[1])
