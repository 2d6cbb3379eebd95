"""Measure `stcodec batch` beside the ffmpeg command line under xargs, its scheduler alone, and simulate many machines.

    python tools/bench_batch.py [--rounds 3] [--files 4] [--repeat 3] [--attentions none neural]     2 jobs against xargs -P2
    python tools/bench_batch.py --scheduler [--jobs-count 10000]                        what a job costs beside its encode
    python tools/bench_batch.py --simulate                                              throughput from 1 to 1,000 nodes

Throughput: the same files (the demo video, so many times in a row, 18 s), libx264, preset medium, crf 23, audio copied. What
a run costs once (processes started, the network loaded: about a second) and what a file costs (checks, the sample of
quality: half a second to one) weighs more the shorter the videos are: --repeat 1 shows it. The arms are interleaved, each
round begins with another one, ratios are taken within a round: ffmpeg's time over that of the batch. With a source of
attention the batch does more than ffmpeg is asked for; the ratio to attention "none" is given, too. Where others use the
machine, only the ratio of CPU times tells something: wall time is shared by threads, and ffmpeg has more of them than
workers that have a core each.

Scheduler: tiny files, a task that only copies them, everything else as in earnest (walk, table, processes, hashes, names,
fsyncs). What counts is the time in which the scheduler is not waiting for a worker, over the number of jobs.

Simulation: the durations and sizes that the throughput runs recorded, drawn at random, given out longest first by one
scheduler that needs the measured time for each, to nodes of two workers; sources and results go through a shared storage of
--storage-gbit. What has the largest share of its time in use is what saturates; saturated_at_nodes says at how many nodes
either of the two would be in use all the time. Ray's own time for each task is not in it.
Results go to data/results/bench_batch.json, a section a mode.
"""

from __future__ import annotations

import argparse
import heapq
import json
import multiprocessing.connection
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from bench_encode import CRF, DEMO, PRESET, circumstances, say, store

from stcodec.batch import BatchOptions, BatchRun, Listener
from stcodec.batch.job import Life, Step
from stcodec.batch.plan import Planner
from stcodec.batch.scheduler import Scheduler
from stcodec.batch.session import session
from stcodec.batch.steps import EncodeRecord, FinishedFile, JobSpec
from stcodec.batch.table import STATE_FOLDER, JobRow
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.work import workers
from stcodec.work.cache import content_hash

RESULTS = Path(__file__).parents[1] / "data" / "results" / "bench_batch.json"
JOBS = 2
NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


# --- throughput -----------------------------------------------------------------------------------------------------


def throughput(
    folder: Path, program: str, attentions: Sequence[str], files: int, rounds: int, repeat: int
) -> dict[str, Any]:
    """Time of each arm in each round, and the ratios."""
    sources = folder / "in"
    sources.mkdir()
    video = folder / "video.mp4"
    again = ["-v", "error", "-stream_loop", str(repeat - 1), "-i", str(DEMO), "-map", "0", "-c", "copy", str(video)]
    subprocess.run([program, *again], check=True)
    for number in range(files):
        shutil.copy(video, sources / f"{number}.mp4")
        with (sources / f"{number}.mp4").open("ab") as file:  # maps are made for each: no two files are the same
            file.write(b"\0\0\0\x09free" + bytes([number]))
    arms = ["ffmpeg", *attentions]
    runs: list[dict[str, Any]] = []
    for number in range(rounds):
        first = number % len(arms)
        for arm in (*arms[first:], *arms[:first]):
            runs.append({"round": number, "arm": arm, **_run(folder, sources, program, arm)})
            say(f"round {number}: {arm}: {runs[-1]['wall_seconds']:.1f} s, CPU {runs[-1]['cpu_seconds']:.1f} s")
    ratios = {time: _ratios(runs, attentions, time) for time in ("wall_seconds", "cpu_seconds")}
    return {"files": files, "clip": DEMO.stem, "times_in_a_row": repeat, "parallel": JOBS, "ratios": ratios, "runs": runs}


def _ratios(runs: Sequence[dict[str, Any]], attentions: Sequence[str], time: str) -> dict[str, Any]:
    """Of a rival's time to that of the batch: its throughput against the rival's."""
    arms = list(dict.fromkeys(run["arm"] for run in runs))
    by_arm = {arm: [run[time] for run in sorted(runs, key=lambda run: run["round"]) if run["arm"] == arm] for arm in arms}
    ratios = {}
    for arm in attentions:
        for rival in {"ffmpeg", "none"} & set(arms) - {arm}:
            each = [one / other for one, other in zip(by_arm[rival], by_arm[arm], strict=True)]
            ratios[f"{rival} / {arm}"] = {
                "median": round(statistics.median(each), 3), "least": round(min(each), 3), "largest": round(max(each), 3)
            }  # fmt: skip
            spread = f"{statistics.median(each):.3f} ({min(each):.3f}-{max(each):.3f})"
            print(f"{time}: throughput of batch with {arm} against {rival}: {spread}")
    return ratios


def _run(folder: Path, sources: Path, program: str, arm: str) -> dict[str, Any]:
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    coding = f"-c:v libx264 -preset {PRESET} -crf {CRF} -c:a copy -map 0"
    line = f"ls {sources} | xargs -P{JOBS} -I@ {program} -v error -nostdin -i {sources}/@ {coding} {output}/@"
    command = ["sh", "-c", line]
    if arm != "ffmpeg":
        coding = f"--encoder libx264 --preset {PRESET} --crf {CRF} --attention {arm} --jobs {JOBS} -q"
        command = [sys.executable, "-m", "stcodec", "batch", str(sources), str(output), *coding.split()]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_seconds": round(seconds, 2),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "jobs": [] if arm == "ffmpeg" else _recorded(output),
    }


def _recorded(output: Path) -> list[dict[str, float]]:
    base = sqlite3.connect(output / STATE_FOLDER / "jobs.sqlite")
    rows = base.execute("SELECT wall_seconds, source_bytes, output_bytes FROM jobs WHERE state = 'done'").fetchall()
    base.close()
    return [{"seconds": round(wall, 3), "source_bytes": before, "output_bytes": after} for wall, before, after in rows]


# --- the scheduler alone --------------------------------------------------------------------------------------------


def copy(job: JobSpec) -> FinishedFile:
    """In place of all steps of a job: nothing is encoded."""
    job.unfinished.parent.mkdir(exist_ok=True)
    shutil.copy(job.source, job.unfinished)
    status, source = job.unfinished.stat(), job.source.stat()
    return FinishedFile(
        size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, content=content_hash(job.unfinished),
        source_bytes=source.st_size, source_mtime_ns=source.st_mtime_ns, record=EncodeRecord(1, 0.04, 0.0, (), {}),
        quality_db=None, maps_were_kept=False,
    )  # fmt: skip


def copy_life(job: JobSpec, **_: Any) -> Life:
    """The life of a job that is only copied."""
    made: FinishedFile
    (made,) = yield [Step(partial(copy, job))]
    return made


class Memory(Listener):
    """Notes how much memory this process has taken, ten times."""

    def __init__(self, jobs: int) -> None:
        self._step = max(1, jobs // 10)
        self._done = 0
        self.peaks_mib: list[float] = []

    def finished(self, job: JobRow) -> None:
        self._done += 1
        if self._done % self._step == 0:
            self.peaks_mib.append(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))


def schedule(folder: Path, jobs: int) -> dict[str, Any]:
    """Time and memory of a run of tiny jobs."""
    for number in range(jobs):
        place = folder / "in" / f"{number // 1000}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.mp4").write_bytes(b"%d" % number)
    options, running, memory = BatchOptions(), BatchRun(jobs=JOBS), Memory(jobs)
    waited = 0.0
    wait = multiprocessing.connection.wait

    def timed(links: Any, seconds: float | None = None) -> Any:
        nonlocal waited
        begun = time.perf_counter()
        ready = wait(links, seconds)
        waited += time.perf_counter() - begun
        return ready

    cpu, started = time.process_time(), time.perf_counter()
    with mock.patch.object(workers, "wait", timed), session(folder / "out", folder / "in", options) as mine:
        planner = Planner(folder / "in", options, mine, running, memory.note)
        planner.walk()
        planned = time.perf_counter() - started
        Scheduler(mine, options, running, memory, planner.walk, copy_life).work()
        done = mine.table.ask("SELECT COUNT(*) FROM jobs WHERE state = 'done'")[0][0]
    seconds = time.perf_counter() - started
    assert done == jobs, f"{done} of {jobs} are done"
    found = {
        "jobs": jobs,
        "milliseconds_a_job": round(1000 * (seconds - waited) / jobs, 3),
        "waiting_for_workers_milliseconds_a_job": round(1000 * waited / jobs, 3),
        "cpu_milliseconds_a_job": round(1000 * (time.process_time() - cpu) / jobs, 3),
        "planning_milliseconds_a_job": round(1000 * planned / jobs, 3),
        "peak_memory_mib_by_tenth": memory.peaks_mib,
    }
    print(json.dumps(found, indent=1))
    return found


# --- many machines --------------------------------------------------------------------------------------------------


def simulate(
    recorded: Sequence[dict[str, float]], job_seconds: float, storage_gbit: float, length: float
) -> list[dict[str, Any]]:
    """Throughput by number of nodes; length: how many times as long as recorded the videos are."""
    chosen = random.Random(1)
    table: list[dict[str, Any]] = []
    for nodes in NODES:
        count = max(400, 20 * nodes * JOBS)
        jobs = [chosen.choice(recorded) for _ in range(count)]
        work = sorted(
            ((length * job["seconds"], length * (job["source_bytes"] + job["output_bytes"])) for job in jobs), reverse=True
        )
        free_at = [0.0] * (nodes * JOBS)
        scheduler_free = storage_free = 0.0
        for seconds, size in work:
            free = heapq.heappop(free_at)
            begun = scheduler_free = max(scheduler_free, free) + job_seconds
            transfer = size * 8 / (storage_gbit * 1e9)
            storage_free = max(storage_free, begun) + transfer
            heapq.heappush(free_at, max(begun + seconds, storage_free))
        whole = max(free_at)
        use = {
            "workers": sum(seconds for seconds, _ in work) / (whole * len(free_at)),
            "scheduler": count * job_seconds / whole,
            "storage": sum(size for _, size in work) * 8 / (storage_gbit * 1e9) / whole,
        }
        row = {
            "nodes": nodes, "jobs": count, "jobs_a_second": round(count / whole, 5),
            "saturated_at_nodes": {name: round(nodes / use[name]) for name in ("scheduler", "storage")},
            "use": {name: round(share, 3) for name, share in use.items()}, "saturated": max(use, key=lambda name: use[name]),
        }  # fmt: skip
        table.append(row)
        shares = ", ".join(f"{name} {share:.0%}" for name, share in use.items())
        print(f"{nodes:5d} nodes: {row['jobs_a_second']:8.3f} jobs/s; in use: {shares}")
    base: float = table[0]["jobs_a_second"]
    return [{**row, "speed_up": round(float(row["jobs_a_second"]) / base, 1)} for row in table]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure stcodec batch.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--scheduler", action="store_true", help="measure the scheduler alone")
    mode.add_argument("--simulate", action="store_true", help="simulate many machines from what was measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3, help="how often the demo video is in each file")
    parser.add_argument("--attentions", nargs="+", default=["none", "neural"])
    parser.add_argument("--jobs-count", type=int, default=10_000)
    parser.add_argument("--storage-gbit", type=float, default=10.0, help="of the shared storage of the simulation")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, program = Path(name), find_ffmpeg(None)
        known = {**circumstances(program), "load_before": [round(one, 2) for one in os.getloadavg()]}
        if arguments.scheduler:
            store(arguments.out, "scheduler", {**known, **schedule(folder, arguments.jobs_count)})
        elif arguments.simulate:
            measured = json.loads(arguments.out.read_text(encoding="utf-8"))
            recorded = [job for run in measured["throughput"]["runs"] for job in run["jobs"]]
            cost = measured["scheduler"]["milliseconds_a_job"] / 1000
            tables = {
                f"{length:g} times as long": simulate(recorded, cost, arguments.storage_gbit, length) for length in (1, 60)
            }
            store(arguments.out, "simulation", {**known, "storage_gbit": arguments.storage_gbit, "tables": tables})
        else:
            found = throughput(folder, program, arguments.attentions, arguments.files, arguments.rounds, arguments.repeat)
            store(arguments.out, "throughput", {**known, **found})


if __name__ == "__main__":
    main()
