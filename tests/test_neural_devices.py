"""The network's run-times: they agree, in batches and one by one, in float32, bfloat16 and 8-bit integers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from media import make_video
from moving_scenes import VIDEO, Disc, attend_in_pieces, clip, densities, pan, times, video
from numpy.typing import NDArray

from stcodec.attention.neural import NeuralSource, open_engine
from stcodec.attention.neural_engine import FrameOutput, GatedFrame, Look, NeuralDetail, TokenSet
from stcodec.attention.neural_input import input_shape, picture
from stcodec.attention.neural_options import NeuralOptions, no_gpu_reason
from stcodec.attention.neural_torch import TorchEngine
from stcodec.errors import AttentionError
from stcodec.media.decode import VideoReader
from stcodec.media.scaling import Thumbnailer
from stcodec.model import inference
from stcodec.model.config import THUMBNAIL_SIDE_PX
from stcodec.model.inference import Fixed, batch_size
from stcodec.model.pictures import area_weights, pictures_of_nv12, pictures_of_rgb
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.types import Clip, FloatArray

CAUSAL = NeuralOptions(causal=True, device="cpu")
LOOKAHEAD = NeuralOptions(device="cpu")
DISC = Disc(0.3, 0.25, 0.35)


def scene(count: int = 6, shots: tuple[int, ...] = (0, 2)) -> Clip:
    at = times(count, 5)
    return clip(at, video("coffee", pan(0.1), at, DISC), shots=shots)


@pytest.fixture(scope="module")
def reference() -> TorchEngine:
    torch.set_num_threads(1)
    engine = open_engine("torch", WEIGHTS_PATH)
    assert isinstance(engine, TorchEngine)
    return engine


@pytest.fixture(scope="module")
def pictures() -> list[FloatArray]:
    seen = scene(3).thumbnails
    assert seen is not None
    return [picture(one, input_shape(VIDEO.width_px, VIDEO.height_px)) for one in seen]


def kl_nats(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The largest divergence of densities [T, h, w]."""
    return float((one * np.log(one / other)).sum(axis=(1, 2)).max())


def spatial_densities(frames: list[FrameOutput]) -> NDArray[np.float64]:
    logits = np.stack([np.asarray(one.logits, np.float64) for one in frames])
    weight = np.exp(logits - logits.max(axis=(1, 2), keepdims=True))
    return np.asarray(weight / weight.sum(axis=(1, 2), keepdims=True))


@pytest.mark.parametrize("options", [CAUSAL, LOOKAHEAD], ids=["causal", "lookahead"])
def test_torch_and_onnx_agree(options: NeuralOptions, reference: TorchEngine) -> None:
    one = densities(NeuralSource(options).attend(scene()))
    other = densities(NeuralSource(replace(options, device="torch")).attend(scene()))
    assert kl_nats(other, one) < 0.01  # ONNX Runtime reckons the stem in 8-bit integers
    assert min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, other, strict=True)) > 0.99
    assert kl_nats(other[2:3], other[5:6]) > 0.03  # these maps do change


def test_temporal_branches_agree_to_float32(reference: TorchEngine) -> None:
    random = np.random.default_rng(0)

    def values(*shape: int) -> FloatArray:
        return random.normal(0, 1, shape).astype(np.float32)

    def gated(
        made: Callable[[FloatArray], object], features: FloatArray, motion: FloatArray, index: NDArray[np.int64]
    ) -> GatedFrame:
        return GatedFrame(FrameOutput(made(features), made(motion[0])), motion, index, np.abs(motion[0, 0, :20]))

    given = [(values(64, 12, 20), values(4, 24, 40), random.choice(240, 20, replace=False)) for _ in range(3)]
    places, ages = values(3, 20, 2), np.zeros((3, 20, 1)) + np.arange(3)[:, None, None] / 5
    position = np.concatenate([places, ages], axis=2).astype(np.float32)
    found = []
    for engine, made in ((open_engine("cpu", WEIGHTS_PATH), np.asarray), (reference, torch.from_numpy)):
        frames = [gated(made, *one) for one in given]
        sets = [TokenSet(*one) for one in zip(engine.tokens(frames), position, strict=True)]
        parts = [TokenSet(one.tokens[: 20 - 3 * index], one.position[: 20 - 3 * index]) for index, one in enumerate(sets)]
        looks = [Look(frames[0], sets[0], [sets[0]]), Look(frames[1], sets[1], [parts[0], sets[1], parts[2]])]
        found.append(engine.fuse(looks, shares=True))
        plain = engine.fuse(looks)
        assert [one.share for one in plain] == [None, None]
        assert all(np.allclose(a.temporal, b.temporal, atol=1e-5) for a, b in zip(plain, found[-1], strict=True))
    for one, other, tokens in zip(*found, (20, 54), strict=True):
        assert one.share is not None
        assert other.share is not None
        assert one.share.shape == other.share.shape == (4, 20, tokens)
        assert np.allclose(one.share, other.share, atol=1e-4)
        assert np.allclose(one.temporal, other.temporal, atol=1e-3)
        assert np.ptp(one.temporal) > 0.1


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "lookahead"])
def test_batches_say_what_single_instants_say(causal: bool, reference: TorchEngine) -> None:
    seen, source = scene(), NeuralSource(NeuralOptions(causal=causal, device="torch"))
    whole, single = densities(source.attend(seen)), densities(attend_in_pieces(source, seen, set(range(6))))
    assert np.abs(np.log(whole) - np.log(single)).max() < 1e-4


def test_batches_are_filled_up_and_cut(reference: TorchEngine, pictures: list[FloatArray]) -> None:
    assert [batch_size(count) for count in (1, 2, 8, 9, 32)] == [1, 8, 8, 32, 32]
    small = [one[:, :32, :64] for one in pictures]
    many = [small[index % 3] for index in range(35)]
    found = reference.frames(many)
    assert len(found) == 35
    for index, alone in enumerate(reference.frames(small)):
        assert all(torch.allclose(one.logits, alone.logits, atol=1e-4) for one in found[index::3])
    assert reference.frames([]) == reference.tokens([]) == reference.fuse([]) == []


def test_bfloat16_moves_the_map_little(reference: TorchEngine, pictures: list[FloatArray]) -> None:
    exact, half = (engine.frames(pictures[:1]) for engine in (reference, TorchEngine(WEIGHTS_PATH, "cpu", half=True)))
    assert 1e-7 < kl_nats(spatial_densities(exact), spatial_densities(half)) < 0.01
    assert half[0].middle.dtype == half[0].logits.dtype == torch.float32


def test_details_are_the_same_on_both(reference: TorchEngine) -> None:
    found: dict[str, list[NeuralDetail]] = {"cpu": [], "torch": []}
    for device, details in found.items():
        NeuralSource(NeuralOptions(causal=True, device=device), on_detail=details.append).attend(scene(4, (0,)))
    for one, other in zip(*found.values(), strict=True):
        assert np.array_equal(one.window_pts_seconds, other.window_pts_seconds)
        assert np.allclose(other.attention_share.sum(axis=2), 1, atol=1e-5)
        assert np.abs(one.attention_share - other.attention_share).mean() < 0.1 * other.attention_share.mean()


@pytest.mark.parametrize(("have", "want"), [(720, 180), (185, 192), (180, 192), (100, 32), (7, 7), (3, 32)])
def test_area_weights_are_opencvs(have: int, want: int) -> None:
    line = np.random.default_rng(0).uniform(0, 255, (1, have)).astype(np.float32)
    weights = area_weights(have, want)
    assert torch.allclose(weights.sum(dim=1), torch.ones(want), atol=1e-5)
    wanted = cv2.resize(line, (want, 1), interpolation=cv2.INTER_AREA)[0]
    assert np.allclose(weights.numpy() @ line[0], wanted, atol=0.01)


@pytest.mark.parametrize(("kind", "levels"), [("rgb24", 2.0), ("nv12", 4.0)])
def test_pictures_made_on_the_device_are_those_of_the_cpu(
    videos: Path, kind: str, levels: float, reference: TorchEngine
) -> None:
    path = make_video(videos / f"device_{kind}.mp4", frames=2, size=(854, 480))
    with VideoReader(path) as reader:
        frame = next(iter(reader.frames()))
        shape = input_shape(frame.width, frame.height)
        wanted = picture(Thumbnailer(reader.info, THUMBNAIL_SIDE_PX)(frame), shape)
        if kind == "rgb24":
            made = pictures_of_rgb(torch.from_numpy(frame.to_ndarray(format="rgb24"))[None], shape)
        else:
            luma, chroma = nv12_planes(frame)
            made = pictures_of_nv12(luma[None], chroma[None], shape)
    assert made.shape == (1, 3, *shape)
    assert np.abs(made[0].numpy() - wanted).mean() * 127.5 < levels
    one, other = (spatial_densities(reference.frames(each)) for each in ([wanted], made))
    assert kl_nats(one, other) < 0.01


def nv12_planes(frame: VideoFrame) -> tuple[torch.Tensor, torch.Tensor]:
    """Luma [H, W] and chroma [H/2, W/2, 2]."""
    luma, chroma = frame.reformat(format="nv12").planes
    rows = [np.frombuffer(bytes(one), np.uint8).reshape(one.height, one.line_size) for one in (luma, chroma)]
    pairs = rows[1][:, : 2 * chroma.width].reshape(chroma.height, chroma.width, 2)
    return torch.from_numpy(rows[0][:, : luma.width].copy()), torch.from_numpy(pairs.copy())


def test_a_device_that_fails_says_so(monkeypatch: pytest.MonkeyPatch, reference: TorchEngine) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")

    monkeypatch.setattr(inference.Runner, "_frames", fail)
    engine = TorchEngine(WEIGHTS_PATH, "cpu")
    with pytest.raises(AttentionError, match=r"device cpu: torch failed there \(CUDA out of .* 2 GiB\): use --device cpu$"):
        engine.frames([np.zeros((3, 32, 32), np.float32)])


def test_a_graph_is_captured_once_a_shape_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = []

    def capture(function: Callable[..., object], examples: tuple[torch.Tensor, ...]) -> Callable[..., object]:
        captured.append(tuple(one.shape for one in examples))
        return lambda inputs: function(*inputs)

    monkeypatch.setattr(inference, "_Captured", capture)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    double = Fixed(lambda one: (2 * one,), torch.device("cuda"))
    for size in (3, 5, 3, 5):
        assert torch.equal(double(torch.ones(size))[0], torch.full((size,), 2.0))
    assert captured == [((3,),), ((5,),)]


@pytest.mark.skipif(no_gpu_reason() is not None, reason="no GPU")
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "lookahead"])
def test_gpu_agrees_with_the_cpu(causal: bool) -> None:
    sources = [NeuralSource(NeuralOptions(causal=causal, device=device)) for device in ("cuda", "torch")]
    one, other = (densities(source.attend(scene())) for source in sources)
    assert kl_nats(other, one) < 0.01
    again = densities(attend_in_pieces(sources[0], scene(), set(range(6))))
    assert kl_nats(one, again) < 1e-3
