"""Sources that wrap sources: blended, smoothed, cached."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import attend_in_pieces, same
from hypothesis import HealthCheck, given, settings, strategies as st

from stcodec.attention.base import AttentionSession, AttentionSource, track
from stcodec.attention.blended import BlendedSource
from stcodec.attention.cached import CachedSource
from stcodec.attention.smoothed import SmoothedSource
from stcodec.errors import AttentionError, OptionsError
from stcodec.media.maps import MapReader
from stcodec.types import Clip, ClipSpec, FloatArray, SaliencyTrack, VideoInfo

VIDEO = VideoInfo(320, 180, Fraction(1, 1000), Fraction(25), 10.0, None, "yuv420p", 8, "h264")


class Scripted(AttentionSource):
    """Gives prepared maps by time, `delay` instants late; counts the videos it has seen."""

    def __init__(self, name: str, maps: dict[float, FloatArray], delay: int = 0, spec: ClipSpec | None = None) -> None:
        self.name = name
        self.maps = maps
        self.delay = delay
        self.spec = spec or ClipSpec()
        self.lookahead_seconds = float(delay)
        self.opened = 0
        self.drops_last = False

    def open(self, video: VideoInfo) -> AttentionSession:
        self.opened += 1
        return ScriptedSession(self)


class ScriptedSession(AttentionSession):
    def __init__(self, source: Scripted) -> None:
        self.source = source
        self.queue: deque[tuple[float, bool]] = deque()

    def attend(self, clip: Clip) -> SaliencyTrack:
        self.queue.extend(zip(clip.pts_seconds.tolist(), clip.shot_starts.tolist(), strict=True))
        return self.take(max(0, len(self.queue) - self.source.delay))

    def finish(self) -> SaliencyTrack | None:
        return self.take(len(self.queue) - self.source.drops_last) if self.queue else None

    def take(self, count: int) -> SaliencyTrack:
        ready = [self.queue.popleft() for _ in range(count)]
        shape = next(iter(self.source.maps.values())).shape
        maps = np.array([self.source.maps[pts] for pts, _ in ready], np.float32).reshape(-1, *shape)
        return track(
            VIDEO, self.source.name, np.array([pts for pts, _ in ready]), np.array([s for _, s in ready], bool), maps
        )


def make_clip(times: list[float], shots: tuple[int, ...] = (0,)) -> Clip:
    return Clip(VIDEO, np.array(times, np.float64), np.isin(np.arange(len(times)), shots))


def random_source(name: str, times: list[float], seed: int, shape: tuple[int, int] = (6, 8), delay: int = 0) -> Scripted:
    rng = np.random.default_rng(seed)
    return Scripted(name, {pts: rng.random(shape, dtype=np.float32) for pts in times}, delay)


TIMES = [0.0, 0.2, 0.35, 0.9, 1.0, 1.1, 2.0, 2.5, 2.6, 2.7, 4.0, 4.5]


# --- blended


def test_blend_is_the_weighted_mean_of_densities() -> None:
    one = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
    other = np.array([[0.0, 0.5], [0.5, 0.5]], np.float32)
    blend = BlendedSource([(3.0, Scripted("a", {0.0: one})), (1.0, Scripted("b", {0.0: other}))])
    found = blend.attend(make_clip([0.0])).saliency[0]
    # 0.75 in one place, 0.25 / 3 in each of the others; then the largest becomes 1.
    assert found == pytest.approx(np.array([[1, 1 / 9], [1 / 9, 1 / 9]]), abs=1e-6)
    assert blend.name == "3*a+1*b"


def test_only_the_ratio_of_weights_counts() -> None:
    sources = [random_source("a", TIMES, 1), random_source("b", TIMES, 2)]
    clip = make_clip(TIMES)
    one = BlendedSource([(0.3, sources[0]), (0.7, sources[1])]).attend(clip).saliency
    other = BlendedSource([(3, sources[0]), (7, sources[1])]).attend(clip).saliency
    assert one == pytest.approx(other, abs=1e-6)
    assert one.max(axis=(1, 2)) == pytest.approx(np.ones(len(TIMES)))


def test_blend_is_on_the_finest_grid() -> None:
    coarse = Scripted("coarse", {0.0: np.array([[1.0, 0.0]], np.float32)})
    fine = Scripted("fine", {0.0: np.ones((9, 16), np.float32)})
    for parts in ([(1.0, coarse), (1.0, fine)], [(1.0, fine), (1.0, coarse)]):
        found = BlendedSource(parts).attend(make_clip([0.0])).saliency[0]
        assert found.shape == (9, 16)
        assert found[:, 0].mean() == pytest.approx(1)
        assert found[:, -1].mean() == pytest.approx(1 / 3, abs=0.01)  # 1 against 1 + 2
        assert np.all(np.diff(found[0]) <= 0)


def test_map_of_zeros_counts_as_uniform_in_a_blend() -> None:
    empty = Scripted("empty", {0.0: np.zeros((2, 2), np.float32)})
    spot = Scripted("spot", {0.0: np.array([[1.0, 0], [0, 0]], np.float32)})
    found = BlendedSource([(1, empty), (1, spot)]).attend(make_clip([0.0])).saliency[0]
    assert found == pytest.approx(np.array([[1, 0.2], [0.2, 0.2]]), abs=1e-6)


@given(st.sets(st.integers(1, len(TIMES) - 1)), st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_parts_with_different_delays_meet(cuts: set[int], first_delay: int, second_delay: int) -> None:
    prompt = BlendedSource([(1, random_source("a", TIMES, 1)), (2, random_source("b", TIMES, 2))])
    late = BlendedSource(
        [(1, random_source("a", TIMES, 1, delay=first_delay)), (2, random_source("b", TIMES, 2, delay=second_delay))]
    )
    clip = make_clip(TIMES, shots=(0, 4))
    expected = prompt.attend(clip)
    assert expected.pts_seconds.tolist() == TIMES
    assert same(attend_in_pieces(late, clip, cuts), expected)
    assert late.lookahead_seconds == max(first_delay, second_delay)


def test_blend_comes_out_as_soon_as_all_parts_have_it() -> None:
    late = BlendedSource([(1, random_source("a", TIMES, 1)), (2, random_source("b", TIMES, 2, delay=2))])
    session = late.open(VIDEO)
    counts = [len(session.attend(make_clip([pts]))) for pts in TIMES]
    assert counts == [0, 0] + [1] * (len(TIMES) - 2)
    rest = session.finish()
    assert rest is not None
    assert len(rest) == 2


def test_blend_asks_for_what_every_part_needs() -> None:
    one = Scripted("a", {}, spec=ClipSpec(2.0, 64, motion_vectors=True, shots=False))
    other = Scripted("b", {}, spec=ClipSpec(12.5, 0, shots=True))
    assert BlendedSource([(1, one), (1, other)]).spec == ClipSpec(12.5, 64, motion_vectors=True, shots=True)


def test_part_that_swallows_an_instant_is_found_out() -> None:
    broken = random_source("b", TIMES, 2, delay=3)
    broken.drops_last = True
    with pytest.raises(AttentionError, match=r"1\*a\+1\*b: not every part has a map at 4\.500 s"):
        BlendedSource([(1, random_source("a", TIMES, 1)), (1, broken)]).attend(make_clip(TIMES))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_must_be_positive(weight: float) -> None:
    with pytest.raises(OptionsError, match=r"the weight of a is .* above 0"):
        BlendedSource([(weight, Scripted("a", {}))])
    with pytest.raises(OptionsError, match="at least one"):
        BlendedSource([])


# --- smoothed

SLACK = 0.01
"""Seconds: how exact the kernel's reach is."""


def smooth_by_the_book(maps: FloatArray, times: np.ndarray, shots: np.ndarray, seconds: float) -> FloatArray:
    """Every pair of instants, without any window."""
    after = times - times[:, None]
    distance = np.abs(after)
    reached = np.argmax(after >= seconds - SLACK, axis=1)  # the first instant with which all that counts is there
    known = (after < seconds - SLACK) | (np.arange(len(times)) == reached[:, None])
    kernel = np.exp(-distance / seconds) * (distance <= seconds + SLACK) * known * (shots[:, None] == shots)
    smooth: FloatArray = np.einsum("ij,jhw->ihw", kernel / kernel.sum(axis=1, keepdims=True), maps).astype(np.float32)
    return smooth


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
    st.sets(st.integers(0, 39)),
    st.sets(st.integers(1, 39)),
    st.sampled_from([0.05, 0.2, 0.7]),
    st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_smoothing_is_the_kernel_within_the_shot_however_it_is_cut(
    gaps_ms: list[int], shots: set[int], cuts: set[int], seconds: float, delay: int
) -> None:
    times = (np.cumsum(gaps_ms) / 1000).tolist()
    source = random_source("a", times, 3, delay=delay)
    clip = make_clip(times, shots=(0, *shots))
    found = attend_in_pieces(SmoothedSource(source, seconds), clip, {cut for cut in cuts if cut < len(times)})
    expected = smooth_by_the_book(
        np.array([source.maps[pts] for pts in times]), np.array(times), np.cumsum(clip.shot_starts), seconds
    )
    assert found.pts_seconds.tolist() == times
    assert np.array_equal(found.shot_starts, clip.shot_starts)
    assert found.saliency == pytest.approx(expected, abs=1e-5)


def test_nothing_leaks_across_a_cut() -> None:
    times = [index / 10 for index in range(20)]
    dark, bright = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    source = Scripted("a", {pts: dark if pts < 1 else bright for pts in times})
    cut = SmoothedSource(source, 0.5).attend(make_clip(times, shots=(0, 10))).saliency[:, 0, 0]
    assert np.all(cut[:10] == 0)
    assert cut[10:] == pytest.approx(np.ones(10), abs=1e-6)
    uncut = SmoothedSource(source, 0.5).attend(make_clip(times)).saliency[:, 0, 0]
    assert 0 < uncut[9] < 0.5 < uncut[10] < 1
    assert uncut[9] == pytest.approx(1 - uncut[10], abs=1e-6)  # no lag: the step stays where it was
    assert np.all(np.diff(uncut) >= -1e-6)


def test_maps_come_out_within_the_declared_lookahead() -> None:
    times = [index / 10 for index in range(40)]
    source = SmoothedSource(random_source("a", times, 4), 0.2)
    assert source.lookahead_seconds == pytest.approx(0.2)
    session = source.open(VIDEO)
    done = 0
    for index, pts in enumerate(times):
        done += len(session.attend(make_clip([pts], shots=(0,) if index == 0 else ())))
        assert sum(one <= pts - source.lookahead_seconds - 1e-9 for one in times) <= done
    assert done < len(times)
    rest = session.finish()
    assert rest is not None
    assert done + len(rest) == len(times)


def test_a_cut_releases_what_came_before_it() -> None:
    source = SmoothedSource(random_source("a", [0.0, 0.1, 0.2], 4), 5.0)
    session = source.open(VIDEO)
    assert len(session.attend(make_clip([0.0, 0.1]))) == 0
    assert len(session.attend(make_clip([0.2]))) == 2


def test_memory_of_smoothing_does_not_grow() -> None:
    times = [index / 10 for index in range(2000)]
    session = SmoothedSource(random_source("a", times, 5, (1, 1)), 0.2).open(VIDEO)
    for index, pts in enumerate(times):
        session.attend(make_clip([pts], shots=(0,) if index == 0 else ()))
        assert len(session._window._kept) <= 6  # type: ignore[attr-defined]  # 2 * 0.2 s at 10/s, and the edges


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 100.0])
def test_smoothing_must_be_sensible(seconds: float) -> None:
    with pytest.raises(OptionsError, match=r"smoothing is .*allowed is"):
        SmoothedSource(Scripted("a", {}), seconds)


# --- cached


@given(st.sets(st.integers(1, len(TIMES) - 1)), st.integers(0, 4))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_second_pass_sees_the_same_maps(tmp_path: Path, cuts: set[int], delay: int) -> None:
    path = tmp_path / "maps.mkv"
    path.unlink(missing_ok=True)
    rng = np.random.default_rng(6)
    times = [pts + 0.0004 * rng.random() for pts in TIMES]  # off the file's milliseconds
    inner = random_source("motion", times, 7, (90, 160), delay)
    inner.maps[times[3]][:] = 0
    inner.spec = ClipSpec(5.0, 160, motion_vectors=True)
    source = CachedSource(inner, path)
    clip = make_clip(times, shots=(0, 4))
    first = attend_in_pieces(source, clip, cuts)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["maps.mkv"]
    second = attend_in_pieces(source, clip, {1, 2, 3})
    assert inner.opened == 1
    assert same(first, second)
    assert first.source == second.source == "motion"
    assert source.spec == ClipSpec(5.0, 0, motion_vectors=False)
    assert source.lookahead_seconds == 0
    raw = Scripted("motion", inner.maps).attend(clip).saliency
    assert np.abs(first.saliency - raw)[[0, 1, 2, 4, 5]].max() <= 1 / 510 + 1e-6
    assert np.all(first.saliency[3] == 1)


def test_cache_is_a_map_file_and_serves_later_runs(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    first = CachedSource(random_source("motion", TIMES, 8), path).attend(make_clip(TIMES, shots=(0, 4)))
    assert MapReader(path).tags["STCODEC_SOURCE"] == "motion"
    untouched = random_source("motion", TIMES, 9)
    later = CachedSource(untouched, path)
    assert same(later.attend(make_clip(TIMES, shots=(0, 4))), first)
    assert untouched.opened == 0
    with pytest.raises(AttentionError, match=r"maps\.mkv: holds the maps of motion, not of center"):
        CachedSource(random_source("center", TIMES, 9), path)


def test_broken_off_pass_leaves_no_cache(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    source = CachedSource(random_source("motion", TIMES, 8), path)
    source.open(VIDEO).attend(make_clip(TIMES))
    assert not path.exists()
    source.attend(make_clip(TIMES))
    assert path.exists()
