"""The neural source at work: its two modes, its two run-times, its gate, its options, and odd videos."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from media import make_video
from moving_scenes import VIDEO, Camera, Disc, attend_in_pieces, clip, pan, part, shake, still, times, video, zoom

from stcodec.attention.center import center_density
from stcodec.attention.global_motion import GlobalMotion
from stcodec.attention.neural import NeuralSource, open_engine
from stcodec.attention.neural_engine import NeuralDetail
from stcodec.attention.neural_input import CameraPath, MotionInput, input_shape, open_gate
from stcodec.attention.neural_options import NeuralOptions, no_gpu_reason, parse_options
from stcodec.errors import AttentionError, OptionsError
from stcodec.model.config import MEAN_SECONDS, STRIDE
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.types import Clip, FloatArray

DISC = Disc(0.3, 0.25, 0.35)
CAUSAL = NeuralOptions(causal=True, device="cpu")
LOOKAHEAD = NeuralOptions(device="cpu")


def scene(camera: Camera = still, disc: Disc | None = DISC, count: int = 9, shots: tuple[int, ...] = (0,)) -> Clip:
    at = times(count, 5)
    return clip(at, video("coffee", camera, at, disc), shots=shots)


def details_of(options: NeuralOptions, seen: Clip) -> list[NeuralDetail]:
    details: list[NeuralDetail] = []
    NeuralSource(options, on_detail=details.append).attend(seen)
    return details


def flat(size: tuple[int, int], pictures: FloatArray | np.ndarray) -> Clip:
    video = replace(VIDEO, width_px=size[0], height_px=size[1])
    return Clip(video, times(len(pictures), 5), np.arange(len(pictures)) == 0, pictures.astype(np.uint8))


@pytest.mark.parametrize("options", [CAUSAL, LOOKAHEAD], ids=["causal", "lookahead"])
def test_cutting_into_clips_changes_nothing(options: NeuralOptions) -> None:
    seen = scene(pan(0.1), shots=(0, 5))
    source = NeuralSource(options)
    whole = source.attend(seen)
    for cuts in ({3, 4}, set(range(9))):
        pieces = attend_in_pieces(source, seen, cuts)
        assert np.array_equal(pieces.saliency, whole.saliency)
        assert np.array_equal(pieces.pts_seconds, seen.pts_seconds)
        assert np.array_equal(pieces.shot_starts, seen.shot_starts)


def test_causal_answers_at_once_and_needs_nothing_later() -> None:
    seen = scene()
    source = NeuralSource(CAUSAL)
    assert source.lookahead_seconds == 0
    session = source.open(seen.video)
    found = [session.attend(part(seen, index, index + 1)) for index in range(len(seen))]
    assert [len(one) for one in found] == [1] * len(seen)
    assert session.finish() is None
    first = source.attend(part(seen, 0, 4))
    assert np.array_equal(np.concatenate([one.saliency for one in found[:4]]), first.saliency)


def test_lookahead_is_that_of_the_mean_and_no_more() -> None:
    seen = scene(count=12)
    source = NeuralSource(replace(LOOKAHEAD, window_seconds=0.6))
    assert source.lookahead_seconds == pytest.approx(MEAN_SECONDS)
    session = source.open(seen.video)
    counts = [len(session.attend(part(seen, index, index + 1))) for index in range(len(seen))]
    assert counts == [0] + [1] * 11
    rest = session.finish()
    assert rest is not None
    assert len(rest) == 1
    found, past = (details_of(replace(one, window_seconds=0.6), seen) for one in (LOOKAHEAD, CAUSAL))
    assert found[4].pts_seconds - found[4].window_pts_seconds.min() == pytest.approx(0.6)
    for one, other in zip(found, past, strict=True):
        assert np.array_equal(one.temporal_gain, other.temporal_gain)


def test_a_map_is_the_mean_of_those_about_it_unless_it_is_live() -> None:
    seen = scene(count=9, shots=(0, 6))
    live = NeuralSource(replace(CAUSAL, window_seconds=0.0)).attend(seen).saliency
    densities = live / live.sum(axis=(1, 2), keepdims=True)
    found = NeuralSource(replace(LOOKAHEAD, window_seconds=0.0)).attend(seen).saliency
    for index, near in ((0, [0, 1]), (3, [2, 3, 4]), (5, [4, 5]), (6, [6, 7])):
        mean = np.mean([densities[one] for one in near], axis=0)
        assert np.allclose(found[index], mean / mean.max(), atol=1e-5)


@pytest.mark.parametrize("options", [CAUSAL, LOOKAHEAD], ids=["causal", "lookahead"])
def test_a_cut_starts_anew(options: NeuralOptions) -> None:
    seen = scene(shots=(0, 4))
    source = NeuralSource(options)
    whole = source.attend(seen).saliency
    assert np.array_equal(whole[:4], source.attend(part(seen, 0, 4)).saliency)
    assert np.allclose(whole[4:], source.attend(part(seen, 4, 9)).saliency, atol=1e-5)


def test_window_is_as_long_as_asked_for() -> None:
    details = details_of(replace(CAUSAL, window_seconds=0.4), scene(count=9))
    assert max(np.ptp(one.window_pts_seconds) for one in details) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("size", "pictures"),
    [
        ((1, 1), np.full((4, 1, 1, 3), 90)),
        ((1280, 720), np.zeros((4, 180, 320, 3))),
        ((1280, 720), np.random.default_rng(0).integers(0, 256, (4, 180, 320, 3))),
        ((720, 1280), np.random.default_rng(1).integers(0, 256, (4, 320, 180, 3))),
        ((4000, 16), np.random.default_rng(2).integers(0, 256, (3, 1, 320, 3))),
        ((16, 4000), np.random.default_rng(3).integers(0, 256, (3, 320, 1, 3))),
        ((640, 360), np.full((1, 90, 160, 3), 128)),
    ],
    ids=["1x1", "black", "noise", "portrait", "wide", "tall", "one frame"],
)
def test_odd_videos_get_sane_maps(size: tuple[int, int], pictures: np.ndarray) -> None:
    seen = flat(size, pictures)
    found = NeuralSource(LOOKAHEAD).attend(seen)
    height, width = input_shape(*size)
    assert found.saliency.shape == (len(seen), height // STRIDE, width // STRIDE)
    assert np.isfinite(found.saliency).all()
    assert np.all(found.saliency.max(axis=(1, 2)) == 1)
    assert found.saliency.min() > 0


def test_no_instants_no_maps() -> None:
    session = NeuralSource(LOOKAHEAD).open(VIDEO)
    assert session.finish() is None
    with pytest.raises(AttentionError, match=r"the clip at 0\.000 s has no thumbnails"):
        session.attend(clip(times(1), None))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((1920, 1080), (192, 320)),
        ((1280, 768), (192, 320)),
        ((640, 480), (224, 288)),
        ((1080, 1920), (320, 192)),
        ((500, 500), (256, 256)),
    ],
)
def test_input_has_about_the_frames_shape(size: tuple[int, int], shape: tuple[int, int]) -> None:
    assert input_shape(*size) == shape


@given(st.integers(1, 9000), st.integers(1, 9000))
@settings(max_examples=60, deadline=None)
def test_input_is_never_large(width: int, height: int) -> None:
    rows, cols = input_shape(width, height)
    assert rows % 32 == cols % 32 == 0
    assert 0 < rows * cols < 1.35 * 320 * 192
    assert max(rows, cols) <= 768


def test_camera_path_undoes_a_pan_and_a_zoom() -> None:
    places = np.array([0.2 + 0.1j, -0.3 - 0.2j])
    path = CameraPath()
    for _ in range(3):
        path.advance(GlobalMotion(np.array([-0.1, 0, 0], np.complex128), 0.0), 0.2)
    assert np.allclose(path.to_start(places), places + 0.06)
    path.advance(GlobalMotion(np.array([0, 0.5, 0], np.complex128), 0.0), 0.2)  # grown by 10 %
    assert np.allclose(path.to_start(places), places * 0.9 + 0.06)
    path.restart()
    assert np.allclose(path.to_start(places), places)


@pytest.mark.parametrize("camera", [pan(0.12), pan(-0.1, 0.05), zoom(0.2)], ids=["right", "left and down", "zoom"])
def test_positions_follow_the_camera_and_the_gate_stays_closed(camera: Camera) -> None:
    seen = scene(camera, None, count=7)
    motion = MotionInput(VIDEO, (192, 320))
    found = [motion.see(seen, index) for index in range(len(seen))]
    start, end = found[0].position, found[-1].position
    first, last = camera(0.0), camera(float(seen.pts_seconds[-1]))
    in_photo = start @ last[:, :2].T + last[:, 2]
    wanted = (in_photo - first[:, 2]) @ np.linalg.inv(first[:, :2]).T
    travelled = np.abs(wanted - start).max()
    assert np.abs(end - wanted).mean() < 0.1 * travelled
    assert max(float(np.quantile(one.score, 0.98)) for one in found) < 0.1


@pytest.mark.parametrize("camera", [still, pan(0.1), shake(0.002)], ids=["still", "pan", "shake"])
def test_gate_opens_within_one_instant_of_a_sudden_object(camera: Camera) -> None:
    at = times(6, 5)
    pictures = video("coffee", camera, at)
    disc = replace(DISC, x=-0.1, speed_x=0.6)
    pictures[4:] = video("coffee", camera, at, disc)[4:]
    details: list[NeuralDetail] = []
    NeuralSource(CAUSAL, on_detail=details.append).attend(clip(at, pictures))
    before, after = details[3], details[4]
    assert np.mean(after.openness > 0.5) > np.mean(before.openness > 0.5) + 0.03
    rows, cols = after.gate_score.shape
    centre = disc.centre(float(at[4]))
    row, col = int(centre[1] * VIDEO.display_width_px / VIDEO.display_height_px * rows), int(centre[0] * cols)
    assert after.gate_score[row - 1 : row + 2, col - 1 : col + 2].max() > 0.5


def test_gate_takes_the_most_active() -> None:
    score = np.array([[0, 0.3, 0.1], [0.9, 0, 0]], np.float32)
    index, openness = open_gate(score, 0.5)
    assert index.tolist() == [3, 1, 2]
    assert np.allclose(openness, [0.9, 0.75, 0.5])
    assert len(open_gate(score, 0.01)[0]) == 1


def test_details_say_how_the_map_came_about() -> None:
    details: list[NeuralDetail] = []
    seen = scene()
    NeuralSource(replace(LOOKAHEAD, token_share=0.2), on_detail=details.append).attend(seen)
    assert [one.pts_seconds for one in details] == seen.pts_seconds.tolist()
    for one in details:
        heads, k, m = one.attention_share.shape
        assert heads == 4
        assert (k, m) == (len(one.token_index), len(one.window_pts_seconds)) == (len(one.openness), len(one.window_position))
        assert k == round(0.2 * one.gate_score.size)
        assert np.allclose(one.attention_share.sum(axis=2), 1, atol=1e-5)
        assert one.spatial_density.sum() == pytest.approx(1, abs=1e-5)
        assert 0 <= one.temporal_share <= 1


@pytest.mark.parametrize(
    ("balance", "spatial", "temporal"), [(0, 1, 0), (0.25, 1, 0.5), (0.5, 1, 1), (0.75, 0.5, 1), (1, 0, 1)]
)
def test_balance_weighs_the_branches(balance: float, spatial: float, temporal: float) -> None:
    details: list[NeuralDetail] = []
    found = NeuralSource(replace(CAUSAL, balance=balance), on_detail=details.append).attend(scene(count=5))
    calibration = open_engine("cpu", WEIGHTS_PATH).info.calibration
    logits = np.stack([spatial * np.log(one.spatial_density) + temporal * one.temporal_gain for one in details])
    density = np.exp(logits / calibration.temperature)
    density /= density.sum(axis=(1, 2), keepdims=True)
    wanted = (1 - calibration.center_share) * density + calibration.center_share * center_density(*density.shape[1:])
    assert np.allclose(found.saliency, wanted / wanted.max(axis=(1, 2), keepdims=True), atol=1e-4)


def test_the_temporal_branch_alone_says_the_same_where_nothing_moves() -> None:
    still_scene = scene(disc=None, count=3)
    temporal = NeuralSource(replace(CAUSAL, balance=1)).attend(still_scene).saliency
    assert np.allclose(temporal[1], temporal[2], atol=1e-3)


def test_not_finite_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    source = NeuralSource(CAUSAL)
    engine = open_engine("cpu", WEIGHTS_PATH)
    broken = [one._replace(logits=one.logits * np.nan) for one in engine.frames([np.zeros((3, 192, 320), np.float32)])]
    monkeypatch.setattr(engine, "frames", lambda pictures: broken * len(pictures))
    with pytest.raises(AttentionError, match="values that are not finite"):
        source.attend(scene(count=1))


def test_options_as_text() -> None:
    text = "neural:causal,window=0.8,tokens=0.5,balance=0.25,device=cpu"
    options = NeuralOptions(True, 0.8, 0.5, 0.25, "cpu")
    assert parse_options(text.removeprefix("neural:")) == options
    assert options.text == text
    assert NeuralOptions().text == "neural"
    assert parse_options(" balance=0.5 , causal") == NeuralOptions(causal=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "'fast' is no option of the source: allowed are causal, window=SECONDS"),
        ("causal=1", "'causal=1' is no option"),
        ("window", "'window' is no option"),
        ("", "'' is no option"),
        ("window=x", "window='x' is no number"),
        ("window=11", "window is 11: allowed is 0 to 10"),
        ("window=nan", "window is nan: allowed"),
        ("tokens=0", "tokens is 0: allowed is 0.01 to 1"),
        ("balance=-1", "balance is -1: allowed is 0 to 1"),
        ("device=tpu", "device 'tpu': allowed are auto, cpu, cuda"),
        ("causal,causal", "causal is given twice"),
    ],
)
def test_options_that_are_none(text: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        parse_options(text)


@pytest.mark.skipif(no_gpu_reason() is None, reason="a GPU is there")
@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_gpu_that_is_not_there_is_an_error(device: str) -> None:
    with pytest.raises(AttentionError, match=f"device {device}: torch sees no GPU: use --device cpu"):
        NeuralSource(NeuralOptions(device=device))


_WITHOUT_EXTRAS = "import sys; sys.modules |= dict.fromkeys(('torch', 'safetensors', 'skimage', 'ray'))"
"""Python that makes imports of these packages fail, as where they are not installed."""


def test_encode_without_torch(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=25, size=(192, 108), cuts=(12,))
    code = (
        f"{_WITHOUT_EXTRAS}; from stcodec.cli import main; from stcodec.model.weights_file import WEIGHTS_PATH, read_info\n"
        f"print(main(['encode', {str(source)!r}, {str(tmp_path / 'out.mp4')!r}, '-q', '--attention', 'neural']))\n"
        "print('command' in read_info(WEIGHTS_PATH).provenance)\n"
        "print([name for name in ('torch', 'safetensors', 'skimage') if sys.modules.get(name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "[]"], done.stderr
    assert (tmp_path / "out.mp4").stat().st_size > 1000


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_a_gpu_needs_the_extra(tmp_path: Path, missing: str) -> None:
    source = make_video(tmp_path / "in.mp4", frames=6, size=(192, 108))
    command = ["maps", str(source), str(tmp_path / "out.mkv"), "-q", "--attention", "neural:device=cuda"]
    code = f"import sys; sys.modules[{missing!r}] = None; from stcodec.cli import main; sys.exit(main({command!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = f'device cuda: needs {missing}, which is not installed: pip install "stcodec[gpu]", or use --device cpu'
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out.mkv").exists()


@pytest.mark.skipif(no_gpu_reason() is None, reason="a GPU is there")
def test_auto_says_once_that_there_is_no_gpu(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=6, size=(192, 108))
    command = [sys.executable, "-m", "stcodec", "maps", str(source), str(tmp_path / "out.mkv"), "-q", "--attention"]
    done = subprocess.run([*command, "neural", "--device", "auto"], capture_output=True, text=True, check=True)
    assert done.stderr == f"stcodec: {no_gpu_reason()}: attention runs on the CPU\n"
    silent = subprocess.run([*command, "neural", "-y"], capture_output=True, text=True, check=True)
    assert silent.stderr == ""
    asked = subprocess.run([*command, "neural", "-y", "--device", "cuda"], capture_output=True, text=True, check=False)
    assert (asked.returncode, "torch sees no GPU" in asked.stderr) == (1, True)
    wrong = subprocess.run([*command, "neural", "-y", "--device", "tpu"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "allowed are auto, cpu" in wrong.stderr) == (2, True)


def test_nothing_is_reported_and_nothing_left_behind(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry keeps a file in the temporary folder unless it is told to be quiet."""
    script = "from stcodec.attention import open_source; open_source('neural')"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(tmp_path.iterdir()) == []
