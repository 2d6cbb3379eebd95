"""Measure the attention network: maps a second, how far that is from the device's floor, and its share of an encode.

    python tools/bench_neural.py [--device cuda] [--rounds 5] [--no-encode]

Run-times: ONNX Runtime on the CPU, and torch on the CPU or a GPU, in batches of 1 and of the largest size. On a CPU all
take one thread, and a second is one of that core's own time, so that other load does not count; on a GPU it is a second of
the clock. The floor is the longer of two times: operations over the rate of a large matrix product, and bytes over the rate
of a large copy, both measured in the same run with the same kind of numbers. Operations are those of convolutions and
products; bytes are their inputs, filters and outputs, each moved once, as if all else were fused into them.
The whole source includes what is done on the CPU in any case: thumbnails scaled to the network's size, motion, the gate.
The share of an encode is CPU time of `neural at 0` over `none` (see bench_encode.py): all is done, but the offsets are 0,
so that the same pictures are encoded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from bench_encode import DEMO, Bench, circumstances, ratios, say, store
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stcodec.attention.neural import NeuralSource, open_engine
from stcodec.attention.neural_engine import Engine, FrameOutput, GatedFrame, Look, TokenSet
from stcodec.attention.neural_input import MotionInput, input_shape, open_gate, picture
from stcodec.attention.neural_options import NeuralOptions
from stcodec.attention.neural_torch import TorchEngine, gpu_count
from stcodec.attention.onnx import onnx_runtime
from stcodec.media.clips import read_clip
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.model.inference import LARGEST_BATCH
from stcodec.model.network import AttentionNet
from stcodec.model.pictures import pictures_of_rgb
from stcodec.model.temporal import Gated as GatedTokens
from stcodec.model.weights import load_weights
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.types import Clip

RESULTS = Path(__file__).parents[1] / "data" / "results" / "bench_neural.json"
_PRODUCT_SIDE = {"cpu": 1024, "cuda": 8192}
_COPIED_BYTES = {"cpu": 1 << 27, "cuda": 1 << 30}
_FRAMES_ON_DEVICE = 8
_WINDOW_FRAMES = 13


class Timer:
    """Times of a function, in seconds: the thread's own on a CPU, the clock's on a GPU."""

    def __init__(self, device: torch.device, rounds: int) -> None:
        self._gpu = device.type == "cuda"
        self._rounds = rounds

    def __call__(self, function: Callable[[], object]) -> float:
        """The median over the rounds, after one that is not counted."""
        return statistics.median([self._once(function) for _ in range(self._rounds + 1)][1:])

    def _once(self, function: Callable[[], object]) -> float:
        self._wait()
        start = self._now()
        function()
        self._wait()
        return self._now() - start

    def _now(self) -> float:
        return time.perf_counter() if self._gpu else time.thread_time()

    def _wait(self) -> None:
        if self._gpu:
            torch.cuda.synchronize()


class Material:
    """What the network is shown: the demo's instants."""

    def __init__(self) -> None:
        self.clip: Clip = read_clip(DEMO, NeuralSource.spec)
        video = self.clip.video
        self.shape = input_shape(video.display_width_px, video.display_height_px)
        assert self.clip.thumbnails is not None
        self.pictures = [picture(one, self.shape) for one in self.clip.thumbnails]
        motion = MotionInput(video, self.shape)
        self.motions = [motion.see(self.clip, index) for index in range(len(self.clip))]

    def looks(self, engine: Engine, frames: Sequence[FrameOutput], share: float) -> tuple[list[GatedFrame], list[Look]]:
        """Frames with their tokens, each with a full window, which begins anew behind the last."""
        gated = [
            GatedFrame(frame, motion.channels, *open_gate(motion.score, share))
            for frame, motion in zip(frames, self.motions, strict=True)
        ]
        sets = [
            TokenSet(tokens, np.column_stack([motion.position[one.index], np.full(len(one.index), index / 5)]))
            for index, (tokens, motion, one) in enumerate(zip(engine.tokens(gated), self.motions, gated, strict=True))
        ]
        sets = [TokenSet(one.tokens, one.position.astype(np.float32)) for one in sets]
        near = [[sets[(index + step) % len(sets)] for step in range(_WINDOW_FRAMES)] for index in range(len(sets))]
        return gated, [Look(*one) for one in zip(gated, sets, near, strict=True)]


def repeated(items: Sequence[Any], count: int) -> list[Any]:
    """So many items, from the first again where they end."""
    return [items[index % len(items)] for index in range(count)]


def measure_engine(engine: Engine, material: Material, batch: int, timer: Timer) -> dict[str, float]:
    """Maps a second of the network's two branches, and of both."""
    frames = engine.frames(material.pictures)
    gated, looks = material.looks(engine, frames, engine.info.config.token_share)
    pictures, gated, looks = (repeated(items, batch) for items in (material.pictures, gated, looks))
    spatial = timer(lambda: engine.frames(pictures)) / batch
    temporal = timer(lambda: (engine.tokens(gated), engine.fuse(looks))) / batch
    rates = {"spatial": 1 / spatial, "temporal": 1 / temporal, "network": 1 / (spatial + temporal)}
    return {f"{name}_maps_per_second": round(rate, 1) for name, rate in rates.items()}


def network_cost(net: AttentionNet, shape: tuple[int, int]) -> dict[str, float]:
    """Operations (two a multiplication with addition) and numbers moved for a map whose window is full."""
    moved = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        moved += inputs[0].numel() + output.numel() + sum(one.numel() for one in module.parameters(recurse=False))

    hooks = [one.register_forward_hook(count) for one in net.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    rows, cols = (side // 16 for side in shape)
    k = round(net.config.token_share * rows * cols)
    index, motion = torch.arange(k)[None], torch.rand(1, 4, 2 * rows, 2 * cols)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        found = net.frames(torch.rand(1, 3, *shape))
        gated = GatedTokens(index, torch.rand(1, k))
        tokens = net.temporal.tokens(found.middle, motion, gated)
        window = tokens.repeat(1, _WINDOW_FRAMES, 1)
        seen = torch.ones(1, 1, window.shape[1], dtype=torch.bool)
        places = torch.rand(1, window.shape[1], 3)
        updated, _ = net.temporal.attention(tokens, places[:, :k], window, places, seen)
        net.temporal.logits(updated, gated, found.middle, motion)
    for hook in hooks:
        hook.remove()
    return {"operations": counter.get_total_flops(), "numbers_moved": moved}


def peaks(device: torch.device, kind: torch.dtype, timer: Timer) -> dict[str, float]:
    """What the device reaches: operations a second of a matrix product, and bytes a second of a copy, read and written."""
    side, size = _PRODUCT_SIDE[device.type], _COPIED_BYTES[device.type]
    one = torch.rand(side, side, device=device).to(kind)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return {
        "operations_per_second": 2 * side**3 / timer(lambda: one @ one),
        "bytes_per_second": 2 * size / timer(lambda: target.copy_(source)),
    }


def integer_peak(timer: Timer) -> float:
    """Operations a second of a product of 8-bit integers by ONNX Runtime."""
    side = _PRODUCT_SIDE["cpu"]
    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    weights = helper.make_tensor("b", TensorProto.INT8, [side, side], np.ones((side, side), np.int8).tobytes(), raw=True)
    inputs = [helper.make_tensor_value_info("a", TensorProto.UINT8, [side, side])]
    outputs = [helper.make_tensor_value_info("c", TensorProto.INT32, [side, side])]
    graph = helper.make_graph([node], "product", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {"a": np.ones((side, side), np.uint8)}
    return 2 * side**3 / timer(lambda: session.run(None, given))


def with_floor(row: dict[str, Any], cost: dict[str, float], bytes_a_number: int, peak: dict[str, float]) -> dict[str, Any]:
    """A row of results with the least time of a map, and what share of the time taken that is."""
    seconds = {
        "arithmetic": cost["operations"] / peak["operations_per_second"],
        "memory": cost["numbers_moved"] * bytes_a_number / peak["bytes_per_second"],
    }
    bound = max(seconds, key=lambda name: seconds[name])
    return row | {
        "floor_bound_by": bound,
        "floor_ms_per_map": round(1000 * seconds[bound], 4),
        "share_of_floor_rate": round(seconds[bound] * row["network_maps_per_second"], 4),
    }


def measure_engines(device: torch.device, rounds: int, material: Material) -> list[dict[str, Any]]:
    """A row for each run-time and batch."""
    net, _ = load_weights()
    cost = network_cost(net, material.shape)
    cpu = Timer(torch.device("cpu"), rounds)
    integers = peaks(torch.device("cpu"), torch.float32, cpu) | {"operations_per_second": integer_peak(cpu)}
    row = {"runtime": "ONNX Runtime, 8-bit integers", "device": "cpu", "batch": 1}
    rows = [with_floor(row | measure_engine(open_engine("cpu", WEIGHTS_PATH), material, 1, cpu), cost, 1, integers)]
    timer = Timer(device, rounds)
    for half in (False, True):
        kind = torch.bfloat16 if half else torch.float32
        engine = TorchEngine(WEIGHTS_PATH, str(device), half)
        peak = peaks(device, kind, timer)
        for batch in (1, LARGEST_BATCH):
            say(f"torch on {device}, {kind}, batches of {batch}")
            row = {"runtime": f"torch, {str(kind).removeprefix('torch.')}", "device": device.type, "batch": batch}
            rows.append(with_floor(row | measure_engine(engine, material, batch, timer), cost, kind.itemsize, peak))
    return [one | {key: round(value) for key, value in cost.items()} for one in rows]


def measure_source(device: str, torch_device: torch.device, rounds: int, material: Material) -> dict[str, Any]:
    """The source as a whole, the part of it that always runs on the CPU, and frames that are on the device already."""
    source = NeuralSource(NeuralOptions(device=device))
    cpu, own = Timer(torch.device("cpu"), rounds), Timer(torch_device, rounds)
    count = len(material.clip)

    def motion() -> None:
        watch = MotionInput(material.clip.video, material.shape)
        for index in range(count):
            watch.see(material.clip, index)

    video = material.clip.video
    frames = torch.zeros(_FRAMES_ON_DEVICE, video.height_px, video.width_px, 3, dtype=torch.uint8, device=torch_device)
    return {
        "device": device,
        "whole_source_maps_per_second": round(count / own(lambda: source.attend(material.clip)), 1),
        "motion_maps_per_second": round(count / cpu(motion), 1),
        "pictures_on_device_per_second": round(_FRAMES_ON_DEVICE / own(lambda: pictures_of_rgb(frames, material.shape)), 1),
        "frames_px": [video.width_px, video.height_px],
    }


def measure_encode(device: str, rounds: int) -> list[dict[str, Any]]:
    """CPU time of an encode with the source at strength 0 over one without, on the demo and it in 1920x1080."""
    arms = ["none", f"neural:device={device} at 0"]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(find_ffmpeg(None), Path(folder))
        runs = [
            bench.run(clip, arm, number)
            for clip in (DEMO, bench.scale(DEMO, 1080))
            for number in range(rounds)
            for arm in (arms if number % 2 else arms[::-1])
        ]
    found = ratios(runs, {arms[1]: arms[0]})
    return [{key: one[key] for key in ("clip", "arm", "to", "cpu_seconds")} for one in found]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the attention network.")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; default: a GPU if there is one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-encode", action="store_true", help="leave out the share of an encode")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    name = given.device or ("cuda" if gpu_count() else "cpu")
    device = torch.device(name)
    material = Material()
    known = circumstances(find_ffmpeg(None))
    known["versions"] |= {"torch": torch.__version__, "onnxruntime": onnx_runtime().__version__}
    known["machine"]["gpu"] = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    section = {**known, "engines": measure_engines(device, given.rounds, material)}
    section["source"] = measure_source(name, device, given.rounds, material)
    if not given.no_encode:
        section["encode"] = measure_encode(name, given.rounds)
    store(given.out, device.type, section)
    print(json.dumps({key: section[key] for key in ("engines", "source", "encode") if key in section}, indent=1))


if __name__ == "__main__":
    main()
