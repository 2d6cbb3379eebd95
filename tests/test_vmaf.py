"""Scores by ffmpeg over pipes: against ffmpeg run by hand on files, and what happens when it can't be done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media import make_video, pictures, run_ffmpeg

from stcodec.errors import MediaError, OptionsError
from stcodec.metrics.fidelity import Luma
from stcodec.metrics.pipes import PipeWriter, write_all
from stcodec.metrics.planes import Planes, composite, plane_shapes
from stcodec.metrics.vmaf import METRICS, FrameScorer

SIZE = (240, 136)
RATE = Fraction(25)
LEFT = np.repeat(np.array([[1, 1, 0, 0, 0, 0]], np.float32), 4, axis=0)
"""A density on the left third of the frame."""
FORMATS = ("yuv420p", "yuv420p10le", "yuv444p", "yuv444p10le")


def planes_of(frame: av.VideoFrame, pix_fmt: str) -> list[Luma]:
    dtype = np.dtype(np.uint16 if "10" in pix_fmt else np.uint8)
    planes: list[Luma] = []
    for plane in frame.reformat(format=pix_fmt).planes:
        samples = np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)
        planes.append(samples[:, : plane.width])
    return planes


def video(pix_fmt: str = "yuv420p", frames: int = 4, size: tuple[int, int] = SIZE) -> list[Planes]:
    return [planes_of(av.VideoFrame.from_ndarray(rgb, format="rgb24"), pix_fmt) for rgb in pictures(size, frames)]


def blurred(picture: Planes, sigma: float = 2.0) -> Planes:
    luma: Luma = cv2.GaussianBlur(picture[0], (0, 0), sigma)  # type: ignore[assignment]
    return [luma, *picture[1:]]


def score(
    pairs: Sequence[tuple[Planes, Planes]], metrics: set[str], pix_fmt: str = "yuv420p", patience_seconds: float = 300.0
) -> dict[str, list[float]]:
    height, width = pairs[0][0][0].shape
    with FrameScorer(width, height, pix_fmt, RATE, metrics, patience_seconds=patience_seconds) as scorer:
        for reference, distorted in pairs:
            mixed = composite(reference, distorted, LEFT) if "attended_vmaf" in metrics else None
            scorer.push(reference, distorted, mixed)
        return scorer.finish()


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_identical_pictures_are_perfect_and_blurred_ones_are_not(pix_fmt: str) -> None:
    pictures = video(pix_fmt)
    same = score([(one, one) for one in pictures], set(METRICS), pix_fmt)
    worse = score([(one, blurred(one)) for one in pictures], set(METRICS), pix_fmt)
    for scores in (same, worse):
        assert {name: len(values) for name, values in scores.items()} == {**dict.fromkeys(METRICS, 4), "xpsnr": 3}
    for metric in ("vmaf", "vmaf_neg", "attended_vmaf"):
        assert min(same[metric]) >= 97
        assert max(worse[metric]) < min(same[metric]) - 1
    assert same["xpsnr"] == [float("inf")] * 3
    assert max(worse["xpsnr"]) < 40
    assert max(worse["vmaf"]) < 80
    assert np.mean(worse["vmaf"]) < np.mean(worse["attended_vmaf"]), "most of the composite is the reference"


def test_scores_are_those_of_ffmpeg_on_files(tmp_path: Path) -> None:
    coded = make_video(tmp_path / "coded.mkv", size=SIZE, frames=9, options={"preset": "ultrafast", "crf": "38"})
    references = video(frames=9)
    with av.open(str(coded)) as container:
        distorted = [planes_of(frame, "yuv420p") for frame in container.decode(video=0)]
    scores = score(list(zip(references, distorted, strict=True)), set(METRICS))
    mixed = [composite(one, other, LEFT) for one, other in zip(references, distorted, strict=True)]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "{}x{}".format(*SIZE), "-r", "25"]

    def by_hand(name: str, scored: Sequence[Planes], text: str) -> Path:
        inputs: list[str | Path] = []
        for index, frames in enumerate((scored, references)):
            path = tmp_path / f"{index}.yuv"
            path.write_bytes(b"".join(plane.tobytes() for frame in frames for plane in frame))
            inputs += [*raw, "-i", path]
        run_ffmpeg(*inputs, "-lavfi", text.replace("LOG", str(tmp_path / name)), "-f", "null", "-")
        return tmp_path / name

    for metric, frames, options in (
        ("vmaf", distorted, "model=version=vmaf_v0.6.1"),
        ("vmaf", mixed, "model=version=vmaf_v0.6.1"),
        ("vmaf", distorted, "model=version=vmaf_v0.6.1neg"),
        ("cambi", distorted, "feature=name=cambi"),
    ):
        log = by_hand("log.json", frames, f"libvmaf={options}:log_fmt=json:log_path=LOG")
        expected = [frame["metrics"][metric] for frame in json.loads(log.read_text())["frames"]]
        ours = "attended_vmaf" if frames is mixed else "vmaf_neg" if options.endswith("neg") else metric
        assert scores[ours] == pytest.approx(expected, abs=1e-5)
    lines = by_hand("log.txt", distorted, "xpsnr=stats_file=LOG").read_text().splitlines()
    luma = [float(line.split("XPSNR y:")[1].split()[0]) for line in lines if line.startswith("n:")]
    assert scores["xpsnr"] == luma[1:]
    assert luma[0] > max(luma[1:]) + 5, "the first frame's XPSNR is no outlier any more: count it in"


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_comes_alone_too(metric: str) -> None:
    one = video(frames=1)[0]
    # More than all pipes hold: an input that ffmpeg does not read would show.
    frames = (1 << 20) // sum(plane.nbytes for plane in one) + 3
    scores = score([(one, blurred(one))] * frames, {metric}, patience_seconds=10.0)
    assert {name: len(values) for name, values in scores.items()} == {metric: frames - (metric == "xpsnr")}


def test_only_the_attended_part_counts_for_attended_vmaf() -> None:
    pairs = []
    for reference in video():
        distorted = [reference[0].copy(), *reference[1:]]
        distorted[0][:, 120:] = blurred(reference)[0][:, 120:]
        pairs.append((reference, distorted))
    scores = score(pairs, {"vmaf", "attended_vmaf"})
    assert max(scores["vmaf"]) < 90
    assert scores["attended_vmaf"] == pytest.approx(score([(one, one) for one, _ in pairs], {"vmaf"})["vmaf"], abs=1e-5)


def test_pictures_may_come_as_bytes(tmp_path: Path) -> None:
    one = video(frames=1)[0]
    flat, other = b"".join(plane.tobytes() for plane in one), blurred(one)
    with FrameScorer(*SIZE, "yuv420p", RATE, {"vmaf"}) as scorer:
        scorer.push(flat, memoryview(b"".join(plane.tobytes() for plane in other)))
        assert scorer.finish() == score([(one, other)], {"vmaf"})


def test_composite_keeps_the_attended_quarter_of_the_luma() -> None:
    reference = [np.zeros(shape, np.uint8) for shape in plane_shapes(64, 48, "yuv420p")]
    distorted = [np.full_like(plane, 9) for plane in reference]
    luma, *chroma = composite(reference, distorted, LEFT)
    assert (luma[:, :16] == 9).all()
    assert (luma[:, 32:] == 0).all()
    assert all(not plane.any() for plane in chroma)
    slope = np.tile(np.arange(1, 101, dtype=np.float32), (50, 1))
    assert np.mean(composite(reference, distorted, slope)[0] == 9) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_vmaf_does_not_look_at_chroma(pix_fmt: str) -> None:
    """Or else the chroma of a composite could not be the reference's."""
    pictures = video(pix_fmt)
    gray = [[blurred(one)[0], *(np.full_like(plane, 99) for plane in one[1:])] for one in pictures]
    coloured = [(one, blurred(one)) for one in pictures]
    assert score(coloured, {"vmaf"}, pix_fmt) == score([*zip(pictures, gray, strict=True)], {"vmaf"}, pix_fmt)


@pytest.mark.parametrize("value", [0.1, 0.7, 1.0, 1e-6])
def test_an_even_density_has_no_background(value: float) -> None:
    picture = video(frames=1)[0]
    mixed = composite(picture, blurred(picture), np.full((9, 16), value, np.float32))
    assert np.array_equal(mixed[0], blurred(picture)[0])


def test_a_density_that_is_mostly_zero_keeps_what_it_marks() -> None:
    reference = [np.zeros((48, 64), np.uint8)]
    mark = np.zeros((12, 16), np.float32)
    mark[4, 5] = 0.2
    (mixed,) = composite(reference, [np.full((48, 64), 9, np.uint8)], mark)
    assert (mixed[16:20, 20:24] == 9).all()
    assert (mixed == 9).mean() < 0.04


def test_what_can_t_be_put_together_is_refused() -> None:
    one, other = [np.zeros((4, 4), np.uint8)], [np.zeros((4, 5), np.uint8)]
    with pytest.raises(ValueError, match="put together"):
        composite(one, other, np.ones((2, 2), np.float32))
    for density in (np.zeros((2, 2), np.float32), np.array([[1, -1]], np.float32)):
        with pytest.raises(ValueError, match=">= 0 and not zero"):
            composite(one, one, density)


@pytest.mark.parametrize(
    ("size", "pix_fmt", "metrics", "says"),
    [
        (SIZE, "yuv420p", {"vmaf", "psnr_hvs"}, "metrics psnr_hvs: choose from vmaf, "),
        (SIZE, "yuv420p", set(), r"\(none\): choose from"),
        (SIZE, "rgb24", {"vmaf"}, "rgb24 can't be scored: convert them to one of yuv420p"),
        ((64, 16), "yuv420p", {"attended_vmaf"}, "libvmaf can't score pictures of 64x16 px: 17x17"),
        ((160, 90), "yuv420p", {"cambi"}, "CAMBI can't score pictures of 160x90 px: the longer side must have 216"),
    ],
)
def test_what_can_t_be_scored_is_refused(size: tuple[int, int], pix_fmt: str, metrics: set[str], says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        FrameScorer(*size, pix_fmt, RATE, metrics)


@pytest.mark.parametrize(("size", "metric"), [((17, 17), "vmaf"), ((216, 17), "cambi")])
def test_the_smallest_pictures_that_are_let_through_are_scored(size: tuple[int, int], metric: str) -> None:
    noise = np.random.default_rng(0)
    picture = [noise.integers(0, 256, shape).astype(np.uint8) for shape in plane_shapes(*size, "yuv420p")]
    assert len(score([(picture, picture)] * 3, {metric})[metric]) == 3


def test_misuse_is_told() -> None:
    one = video(frames=1)[0]
    with FrameScorer(*SIZE, "yuv420p", RATE, {"vmaf"}) as scorer:
        with pytest.raises(ValueError, match="and only then"):
            scorer.push(one, one, one)
        with pytest.raises(ValueError, match="a frame has 32640 bytes, not 48960"):
            scorer.push(one, one[:1])
        with pytest.raises(MediaError, match="no frames to score"):
            scorer.finish()
        scorer.push(one, one)
        assert len(scorer.finish()["vmaf"]) == 1
        with pytest.raises(ValueError, match="after the end"):
            scorer.push(one, one)
    with FrameScorer(*SIZE, "yuv420p", RATE, {"attended_vmaf"}) as scorer, pytest.raises(ValueError, match="must be given"):
        scorer.push(one, one)


def program(folder: Path, script: str) -> str:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


READS_ALL_AND_WRITES_NOTHING = """\
for argument; do
    case $argument in pipe:*) cat "/dev/fd/${argument#pipe:}" >/dev/null & ;; esac
done
wait"""


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo No such filter: \\'libvmaf\\' >&2; exit 8", r"No such filter: 'libvmaf'; unset STCODEC_FFMPEG"),
        (READS_ALL_AND_WRITES_NOTHING, "log can't be read"),
        ("exit 0", "could not score the frames"),
        ("exec sleep 60", "it took no frame for"),
    ],
)
def test_a_program_that_fails_is_reported(tmp_path: Path, script: str, says: str) -> None:
    one = video(frames=1)[0]
    with (
        pytest.raises(MediaError, match=says),
        FrameScorer(*SIZE, "yuv420p", RATE, {"vmaf"}, program=program(tmp_path, script), patience_seconds=0.5) as scorer,
    ):
        for _ in range(50):  # more than the pipes hold
            scorer.push(one, one)
        scorer.finish()


def test_a_program_that_is_none_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="can't be started"):
        FrameScorer(*SIZE, "yuv420p", RATE, {"vmaf"}, program=str(tmp_path / "none"))


def test_nothing_is_left_after_an_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(Path("/proc/self/fd").iterdir())
    one = video(frames=1)[0]
    with pytest.raises(KeyboardInterrupt), FrameScorer(*SIZE, "yuv420p", RATE, {"vmaf", "xpsnr"}) as scorer:
        assert list(tmp_path.iterdir())
        scorer.push(one, one)
        process = scorer._process
        raise KeyboardInterrupt
    assert process.returncode == -9
    assert list(tmp_path.iterdir()) == []
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_pipes_are_filled_in_whatever_order_they_are_read() -> None:
    sizes = (3 << 20, 5 << 20)
    code = "import os, sys\nfor end in map(int, sys.argv[1:]): print(len(open(end, 'rb').read()))"
    with PipeWriter() as first, PipeWriter() as second:
        ends = [second.reading_end, first.reading_end]
        reader = subprocess.Popen([sys.executable, "-c", code, *map(str, ends)], pass_fds=ends, stdout=subprocess.PIPE)
        first.started()
        second.started()
        # The reader wants the end of the second before it looks at the first.
        write_all([(second, [memoryview(bytes(sizes[1]))]), (first, [memoryview(bytes(1 << 19))])], 10.0)
        second.close()
        write_all([(first, [memoryview(bytes(sizes[0] - (1 << 19)))])], 10.0)
        first.close()
        said, _ = reader.communicate(timeout=120)
    assert [int(line) for line in said.split()] == [sizes[1], sizes[0]]
