"""`stcodec.evaluate.run` on tiny videos: what its figures are, that only offsets differ, that nothing is made twice."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import command
import media
import numpy as np
import pytest
import viewers
from PIL import Image

import stcodec.evaluate as ev
from stcodec.evaluate.options import parse_arms
from stcodec.evaluate.results import HUMAN, PLAIN, Curve, Evaluation, Headline, Point
from stcodec.options import POLICIES, EncodeOptions, OffsetPolicy
from stcodec.progress import Progress

SIZE = (192, 128)
STRONG = replace(POLICIES["strong"], anchor="attended")
"""Offsets so large that what they do is seen on a short video."""
LOOKED_AT = (40.0, 44.0)
CRFS = (14.0, 22.0, 30.0, 38.0)
FRAMES = 12
LEAD_FRAMES = 8
"""Frames of 25 a second that begin before 0.3 s."""


@dataclass(frozen=True)
class Done:
    """An evaluation that was run, and how often it encoded."""

    results: Evaluation
    folder: Path
    encodes: int
    cached: int


class Watch:
    """Counts encodes by what is told of progress."""

    def __init__(self) -> None:
        self.last: dict[str, Progress] = {}

    def __call__(self, progress: Progress) -> None:
        self.last[progress.stage] = progress

    @property
    def cached(self) -> int:
        return self.last["points"].from_cache

    @property
    def encodes(self) -> int:
        return self.last["points"].done - self.cached


def options(**changes: Any) -> ev.EvaluateOptions:
    """A quick evaluation."""
    quick: dict[str, Any] = {
        "presets": {"": "ultrafast"},
        "crfs": CRFS,
        "metrics": ("psnr",),
        "instants": 0,
        "encode": EncodeOptions(policy=STRONG),
    }
    return ev.EvaluateOptions(**{**quick, **changes})


def evaluate(clip: Path, folder: Path, chosen: ev.EvaluateOptions, **running: Any) -> Done:
    watch = Watch()
    results = ev.run([clip], folder, options=chosen, running=ev.EvaluateRun(jobs=1, **running), progress=watch)
    return Done(results, folder, watch.encodes, watch.cached)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames with the gaze of four beside it, who all look at one place."""
    folder = tmp_path_factory.mktemp("walk")
    viewers.make_gaze(folder / "walk.csv", [LOOKED_AT], spread_px=6)
    return media.make_video(folder / "walk.mp4", size=SIZE, frames=FRAMES)


@pytest.fixture(scope="module")
def done(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A picture that is bright near where they look, half of the observers, and all of them under another name."""
    folder = tmp_path_factory.mktemp("done")
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    distance = np.hypot(x - LOOKED_AT[0] - 8, y - LOOKED_AT[1])
    Image.fromarray((255 * np.exp(-((distance / 24) ** 2))).astype(np.uint8)).save(folder / "near.png")
    arms = parse_arms([f"near=map:{folder / 'near.png'}", "human", f"seen=gaze:{walk.with_suffix('.csv')}"])
    return evaluate(walk, folder / "report", options(arms=arms, instants=2))


def curve(results: Evaluation, arm: str) -> Curve:
    return next(one for one in results.curves if one.arm == arm)


def line(results: Evaluation, arm: str, metric: str) -> Headline:
    return next(one for one in results.headlines if (one.arm, one.metric) == (arm, metric))


def at_crf(results: Evaluation, arm: str, crf: float) -> Point:
    return next(point for point in curve(results, arm).points if point.crf == crf)


def encoded_file(folder: Path, point: Point) -> Path:
    """The file in the cache that a point was scored on."""
    return next(
        path
        for path in (folder / "cache" / "encodes").glob("*.mkv")
        if json.loads(path.with_suffix(".json").read_text())["video_bytes"] == point.video_bytes
    )


def test_attention_where_they_look_saves_bits_there_and_costs_elsewhere(done: Done) -> None:
    human = {metric: line(done.results, HUMAN, metric) for metric in ("psnr-attended", "psnr-whole")}
    attended, whole = (human[metric].bd_rate_percent for metric in ("psnr-attended", "psnr-whole"))
    assert attended is not None and whole is not None
    assert attended < -8
    assert whole > 3
    gain = human["psnr-attended"].bd_quality
    assert gain is not None and gain > 0.3


def test_headline(done: Done) -> None:
    results = done.results
    human, near = (line(results, arm, "psnr-attended") for arm in (HUMAN, "near"))
    assert human.share_of_human == pytest.approx(1)
    assert near.share_of_human == pytest.approx((near.bd_rate_percent or 0) / (human.bd_rate_percent or 1))
    assert near.share_of_human is not None and near.share_of_human > 0.2
    assert human.clips == 1 and human.low_percent is None
    assert results.headline_metric == "psnr-attended"
    assert not any(one.arm == PLAIN for one in results.headlines)


def test_bits_are_the_video_packets_own(done: Done) -> None:
    for point in curve(done.results, HUMAN).points:
        path = encoded_file(done.folder, point)
        with av.open(str(path)) as container:
            total = sum(packet.size for packet in container.demux(video=0))
        assert point.video_bytes == pytest.approx(total, abs=FRAMES)  # start codes have a byte less than lengths, sometimes
        assert point.kbps == pytest.approx(total * 8 / 1000 / (FRAMES / 25), rel=0.01)
    rates = [point.kbps for point in curve(done.results, HUMAN).points]
    assert rates == sorted(rates) and len(rates) == len(CRFS)


def test_scores_are_what_the_definitions_say(done: Done, walk: Path) -> None:
    """PSNR, whole and attended, once more from the files: the density is made of the fixations' Gaussians."""
    gaze = np.loadtxt(walk.with_suffix(".csv"), delimiter=",", skiprows=1)
    judged = int(done.results.clips[0].weights.split()[2])
    assert judged == 2
    point = at_crf(done.results, PLAIN, 22)
    distorted = media.frames_of(encoded_file(done.folder, point))
    reference = media.frames_of(walk)
    errors = [(a.astype(float) - b.astype(float)) ** 2 for a, b in zip(reference, distorted, strict=True)][LEAD_FRAMES:]
    whole = 10 * math.log10(255**2 / np.mean(errors))
    assert point.scores["psnr-whole"] == pytest.approx(whole, abs=1e-6)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    by_pair = []
    for pair in ((one, two) for one in range(4) for two in range(one)):
        where = gaze[list(pair), 3:5]
        sigma = 0.03 * SIZE[0]
        density = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in where)
        by_pair.append(10 * math.log10(255**2 / np.mean([(error * density).sum() / density.sum() for error in errors])))
    attended = point.scores["psnr-attended"]
    assert attended is not None
    assert min(abs(attended - one) for one in by_pair) < 0.05  # one of the pairs of observers is the judging half


def test_series_and_what_is_left_out(walk: Path, tmp_path: Path) -> None:
    chosen = options(arms=parse_arms([]), crfs=(22.0,), metrics=("ssim", "vmaf", "xpsnr"))
    results = evaluate(walk, tmp_path / "report", chosen).results
    clip, point = results.clips[0], at_crf(results, PLAIN, 22)
    assert clip.scored == (False,) * LEAD_FRAMES + (True,) * (FRAMES - LEAD_FRAMES)
    assert clip.seconds == pytest.approx([index / 25 for index in range(FRAMES)], abs=1e-6)
    assert {len(values) for values in point.series.values()} == {FRAMES}
    assert point.series["xpsnr-whole"][0] is None and point.series["xpsnr-whole"][1] is not None
    scored = {name: [value or 0.0 for value in values[LEAD_FRAMES:]] for name, values in point.series.items()}
    for name in ("vmaf-whole", "vmaf-attended", "ssim-whole"):
        assert point.scores[name] == pytest.approx(np.mean(scored[name]))
        assert point.scores[f"{name}-worst5"] == min(scored[name])


def test_self_weighted_is_said_everywhere(done: Done) -> None:
    results = done.results
    assert [one.arm for one in results.curves if one.self_weighted] == ["seen"]
    assert line(results, "seen", "psnr-attended").self_weighted
    assert not line(results, "seen", "psnr-whole").self_weighted
    assert any("self-weighted: seen" in note and "no result" in note for note in results.notes)
    stored = json.loads((done.folder / "results.json").read_text())
    assert [one["name"] for one in stored["curves"] if "self-weighted" in one["description"]] == ["walk libx264 seen"]
    assert stored["self_weighted"] is True
    assert "self-weighted" in (done.folder / "report.html").read_text()


def test_results_json_has_the_layout_of_compressai(done: Done) -> None:
    stored = json.loads((done.folder / "results.json").read_text())
    assert stored["schema"] == 1 and len(stored["curves"]) == 4
    for one, mine in zip(stored["curves"], done.results.curves, strict=True):
        assert {"name", "source", "description", "results"} <= one.keys()
        assert one["results"]["bitrate"] == pytest.approx([point.kbps for point in mine.points], abs=1e-5)
        assert one["results"]["crf"] == [point.crf for point in mine.points]
        for metric in done.results.metrics:
            expected = [point.scores[metric.name] for point in mine.points]
            assert one["results"][metric.name] == pytest.approx(expected, abs=1e-5)
            assert len(one["series"][metric.name]) == len(CRFS)
    assert stored["versions"]["x264"] and stored["machine"]["cores"]
    assert stored["headlines"][0]["metric"] == "psnr-attended"


def test_results_csv_has_the_same_numbers(done: Done) -> None:
    with (done.folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * len(CRFS)
    row = next(one for one in rows if (one["arm"], one["crf"]) == (HUMAN, "30"))
    point = at_crf(done.results, HUMAN, 30)
    assert float(row["kbps"]) == pytest.approx(point.kbps, abs=1e-3)
    assert float(row["psnr-attended"]) == pytest.approx(point.scores["psnr-attended"], abs=1e-3)
    assert float(row["psnr-attended-worst5"]) == pytest.approx(point.scores["psnr-attended-worst5"], abs=1e-3)


def test_pictures_show_guided_and_plain_at_one_rate(done: Done) -> None:
    (viewer,) = done.results.viewers
    assert viewer.arm == "near"  # the best that is neither the ceiling nor self-weighted
    assert viewer.guided_crf == 30 and viewer.plain_crf not in CRFS
    assert viewer.guided_kbps == pytest.approx(viewer.plain_kbps, rel=0.1)
    assert [frame.seconds for frame in viewer.frames] == pytest.approx([9 / 25, 11 / 25])
    for frame in viewer.frames:
        paths = [getattr(frame, kind) for kind in ("source", "gaze", "map", "qp", "plain", "guided", "error")]
        pictures = [np.asarray(Image.open(done.folder / path), np.float32) for path in paths]
        assert {picture.shape for picture in pictures} == {(SIZE[1], SIZE[0], 3)}
        source, _, shown_map, qp, plain, guided, error = pictures
        x, y = (round(value) for value in LOOKED_AT)
        here, away = (slice(y - 12, y + 12), slice(x - 12, x + 12)), (slice(80, 128), slice(120, 192))
        assert shown_map[here].mean() > shown_map[away].mean() + 30  # bright where they look
        assert qp[here].mean() < qp[away].mean() - 30  # and finer
        off = [np.square(source[here] - picture[here]).mean() for picture in (guided, plain)]
        assert off[0] < off[1]
        red_minus_blue = error[..., 0] - error[..., 2]
        assert red_minus_blue[here].mean() < red_minus_blue[away].mean() - 20
        theirs, ours = frame.scores["psnr-attended"]
        assert theirs is not None and ours is not None and ours > theirs


def test_nothing_is_made_twice(walk: Path, tmp_path: Path) -> None:
    base = options(arms=parse_arms(["center"]), crfs=(22.0, 34.0), metrics=("psnr-whole",))
    first = evaluate(walk, tmp_path / "a", base)
    assert (first.encodes, first.cached) == (4, 0)
    cache = tmp_path / "a" / "cache"
    again = evaluate(walk, tmp_path / "b", base, cache=cache)
    assert (again.encodes, again.cached) == (0, 4)
    assert again.results.curves == first.results.curves
    more = evaluate(walk, tmp_path / "c", replace(base, crfs=(22.0, 28.0, 34.0), metrics=("psnr",)), cache=cache)
    assert (more.encodes, more.cached) == (2, 4)
    weaker = replace(base, encode=EncodeOptions(policy=OffsetPolicy(strength=0.3)))
    other = evaluate(walk, tmp_path / "d", weaker, cache=cache)
    assert (other.encodes, other.cached) == (2, 2)  # the plain encodes don't depend on the policy
    changed = media.make_video(tmp_path / "walk.mp4", size=SIZE, frames=FRAMES + 1)
    gaze = replace(base, gaze=walk.with_suffix(".csv"))
    assert evaluate(changed, tmp_path / "e", gaze, cache=cache).cached == 0


def test_other_weights_give_other_scores_of_the_same_encode(walk: Path, tmp_path: Path) -> None:
    base = options(arms=parse_arms([]), crfs=(30.0,))
    by_gaze = evaluate(walk, tmp_path / "a", base)
    cache = tmp_path / "a" / "cache"
    by_centre = evaluate(walk, tmp_path / "b", replace(base, weights="center"), cache=cache)
    assert (by_centre.encodes, by_centre.cached) == (0, 1)
    one, other = (done.results.curves[0].points[0] for done in (by_gaze, by_centre))
    for metric in ("psnr-attended", "psnr-foveated"):
        assert one.series[metric] != other.series[metric]
    assert one.series["psnr-whole"] == other.series["psnr-whole"]
    from_afar = evaluate(walk, tmp_path / "c", replace(base, viewing_distance=9.0), cache=cache)
    assert (from_afar.encodes, from_afar.cached) == (0, 1)
    far = from_afar.results.curves[0].points[0]
    assert far.series["psnr-foveated"] != one.series["psnr-foveated"]
    assert far.series["psnr-attended"] == one.series["psnr-attended"]
    assert from_afar.results.settings["viewing-distance"] == "9"


def test_damaged_entries_of_the_cache_are_made_anew(walk: Path, tmp_path: Path) -> None:
    base = options(arms=parse_arms([]), crfs=(30.0,), metrics=("psnr-whole",))
    first = evaluate(walk, tmp_path / "a", base)
    for entry in (tmp_path / "a" / "cache").rglob("*.json"):
        entry.write_text(entry.read_text()[:10])
    assert evaluate(walk, tmp_path / "a", base, overwrite=True).results.curves[0].points[0].scores == (
        first.results.curves[0].points[0].scores
    )


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_only_the_offsets_differ_between_the_arms(walk: Path, tmp_path: Path, encoder: str) -> None:
    """With no strength an arm is the plain encode, though the encoder's settings for offsets differ from its defaults."""
    chosen = options(
        encoders=(encoder,),
        presets={"": "ultrafast", "libvpx-vp9": "8"},
        crfs=(30.0,),
        arms=parse_arms(["center"]),
        encode=EncodeOptions(policy=OffsetPolicy(strength=0)),
    )
    results = evaluate(walk, tmp_path / "report", chosen).results
    plain, center = (curve(results, arm).points[0] for arm in (PLAIN, "center"))
    assert center.scores["psnr-whole"] == pytest.approx(plain.scores["psnr-whole"], abs=0.02)
    assert center.video_bytes == pytest.approx(plain.video_bytes, rel=0.02)


def test_cut_and_scaled(walk: Path, tmp_path: Path) -> None:
    """The gaze is in the clip's own pixels, whatever is encoded."""
    chosen = options(arms=parse_arms(["human"]), crfs=(26.0,), frames=10, scale=0.5)
    results = evaluate(walk, tmp_path / "report", chosen).results
    clip = results.clips[0]
    assert (clip.width_px, clip.height_px, len(clip.seconds)) == (96, 64, 10)
    assert clip.prepared == "first 10 frames, scaled by 0.5 to 96x64"
    plain, human = (curve(results, arm).points[0].scores for arm in (PLAIN, HUMAN))
    lead = (human["psnr-attended"] or 0) - (plain["psnr-attended"] or 0)
    assert lead > (human["psnr-background"] or 0) - (plain["psnr-background"] or 0) + 1


def test_variable_rate_and_a_late_start(vfr_mp4: Path, tmp_path: Path) -> None:
    gaze = viewers.make_gaze(tmp_path / "vfr.csv", [(60, 60)], seconds=3)
    chosen = options(arms=parse_arms(["human"]), crfs=(30.0,), gaze=gaze)
    done = evaluate(vfr_mp4, tmp_path / "report", chosen)
    assert done.results.failures == ()
    times = media.video_pts(vfr_mp4)
    assert done.results.clips[0].seconds == pytest.approx([float(one - times[0]) for one in times], abs=2e-3)


@pytest.mark.parametrize("pix_fmt", ["gray", "bgr0", "yuv422p10le"])
def test_other_formats_of_pictures(tmp_path: Path, pix_fmt: str) -> None:
    video = media.make_video(tmp_path / "video.mkv", size=(96, 64), frames=4, pix_fmt=pix_fmt, codec="ffv1", options={})
    chosen = options(arms=parse_arms(["center"]), crfs=(18.0,), weights="center", scale=0.5)
    results = evaluate(video, tmp_path / "report", chosen).results
    assert results.failures == ()
    for one in results.curves:
        assert (one.points[0].scores["psnr-whole"] or 0) > 33  # a wrong range or matrix would cost far more


def test_two_processes_find_the_same(walk: Path, done: Done, tmp_path: Path) -> None:
    chosen = options(arms=parse_arms(["human"]), crfs=(22.0,), metrics=("psnr",))
    results = ev.run([walk], tmp_path / "report", options=chosen, running=ev.EvaluateRun(jobs=2))
    for arm in (PLAIN, HUMAN):
        one, other = at_crf(results, arm, 22), at_crf(done.results, arm, 22)
        assert one.video_bytes == other.video_bytes
        assert one.scores["psnr-attended"] == other.scores["psnr-attended"]


def test_the_command_prints_a_table_and_json(walk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments: list[command.Argument] = [
        "evaluate",
        walk,
        "--report",
        tmp_path / "report",
        "--arms",
        "center,human",
        "--preset",
        "ultrafast",
    ]
    arguments += ["--crf", "14:38:8", "--metrics", "psnr", "--instants", "0", "--jobs", "1"]
    outcome = command.run(capfd, *arguments)
    assert outcome.status == 0
    table = outcome.out.splitlines()
    assert table[0].endswith("against plain, one clip, so without interval")
    assert table[1].split() == ["center", "human"]
    assert table[2].startswith("attended PSNR") and "%" in table[2]
    assert "half of the observers" in outcome.err
    outcome = command.run(capfd, *arguments, "--json", "-y")
    lines = [json.loads(text) for text in outcome.out.splitlines()]
    assert {one["event"] for one in lines[:-1]} == {"progress"}
    assert lines[-1]["event"] == "results" and lines[-1]["headlines"][0]["arm"] == "center"
    assert lines[-2]["stage"] == "points" and lines[-2]["from_cache"] == lines[-2]["done"] == 12
    assert outcome.status == 0 and "series" not in lines[-1]["curves"][0]
