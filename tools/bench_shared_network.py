"""Measure whether workers of a batch on CPUs should share one process of the attention network.

    python tools/bench_shared_network.py [--rounds 5] [--pictures 250] --out data/results/bench_shared_network.json

Own: each of --workers processes loads the spatial branch's graph, over half of the network's work, and sees so many pictures
(250: 50 s of film at most), one at a time, as `batch --jobs` has it. Shared: one process loads it, takes a picture of each
worker through pipes, sees them as one batch, and sends the logits back. CPU seconds of all processes of an arm, Python's
start included; the arms are interleaved, the order changes from round to round, and ratios are taken within a round.
`batches` is the time of a picture by the size of its batch alone, in one process.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
from results import load, parser_for, save

from stcodec.attention.neural_input import input_shape
from stcodec.attention.onnx import open_session
from stcodec.model.weights_file import WEIGHTS_PATH

OUTPUTS = ["middle", "logits"]
BATCHES = (1, 2, 4, 8)
_BATCH_ROUNDS = 15


def network() -> Any:
    """The spatial branch, for batches of any size: the shipped graph takes one picture."""
    graph = onnx.load(str(WEIGHTS_PATH.with_name("frame.onnx")))
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.graph.value_info[:]
    return open_session(graph.SerializeToString())


def picture(seed: int) -> np.ndarray:
    """A picture [3, H, W] as the network takes it."""
    return np.random.default_rng(seed).normal(size=(3, *input_shape(1280, 720))).astype(np.float32)


def sees_alone(count: int) -> None:
    """A worker with a network of its own."""
    session, one = network(), picture(0)
    for _ in range(count):
        session.run(OUTPUTS, {"picture": one[None]})


def asks(link: Connection, count: int) -> None:
    """A worker that has its pictures seen by another process."""
    one = picture(0)
    for _ in range(count):
        link.send_bytes(one.data.cast("B"))
        link.recv_bytes()


def serves(links: list[Connection], count: int) -> None:
    """A process that sees the pictures of all workers, one of each at a time."""
    session, shape = network(), picture(0).shape
    for _ in range(count):
        seen = np.stack([np.frombuffer(link.recv_bytes(), np.float32).reshape(shape) for link in links])
        for link, logits in zip(links, session.run(OUTPUTS, {"picture": seen})[1], strict=True):
            link.send_bytes(np.ascontiguousarray(logits).data.cast("B"))


def spent(arm: Callable[[Any, int, int], list[Any]], workers: int, count: int) -> dict[str, float]:
    """CPU and wall seconds until all processes of an arm have ended."""
    context = multiprocessing.get_context("spawn")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    processes = arm(context, workers, count)
    for process in processes:
        process.join()
        assert process.exitcode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": round(cpu, 3), "wall": round(time.perf_counter() - began, 3)}


def own(context: Any, workers: int, count: int) -> list[Any]:
    """Start workers with a network each."""
    return [_started(context, sees_alone, count) for _ in range(workers)]


def shared(context: Any, workers: int, count: int) -> list[Any]:
    """Start workers that share a network, and its process."""
    links = [context.Pipe() for _ in range(workers)]
    return [
        _started(context, serves, [ours for ours, _ in links], count),
        *(_started(context, asks, theirs, count) for _, theirs in links),
    ]


def _started(context: Any, target: Callable[..., None], *arguments: Any) -> Any:
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def batches() -> dict[str, float]:
    """Milliseconds of CPU time a picture, by the size of the batch; medians of interleaved rounds."""
    session = network()
    seen = np.stack([picture(seed) for seed in range(max(BATCHES))])
    found: dict[int, list[float]] = {size: [] for size in BATCHES}
    for _ in range(_BATCH_ROUNDS):
        for size in BATCHES:
            began = time.process_time()
            session.run(OUTPUTS, {"picture": seen[:size]})
            found[size].append(1000 * (time.process_time() - began) / size)
    return {str(size): round(statistics.median(each), 2) for size, each in found.items()}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=250, help="of each worker")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    busy, runs = load(), []
    for number in range(given.rounds):
        arms = (own, shared) if number % 2 == 0 else (shared, own)
        runs.append({arm.__name__: spent(arm, given.workers, given.pictures) for arm in arms})
        print(runs[-1], flush=True)
    ratios = {}
    for key in ("cpu", "wall"):
        each = sorted(one["shared"][key] / one["own"][key] for one in runs)
        ratios[key] = [round(one, 3) for one in (each[0], statistics.median(each), each[-1])]
    alone = batches()
    print(ratios, alone)
    save(
        given.out,
        machine=busy,
        workers=given.workers,
        pictures=given.pictures,
        shared_over_own_least_median_largest=ratios,
        cpu_ms_per_picture_by_batch=alone,
        runs=runs,
    )


if __name__ == "__main__":
    main()
