"""Measure what stcodec costs beside the ffmpeg command line, and what each source of attention costs on top.

    python tools/bench_encode.py [--rounds 5] [--sources center motion] [--clips FILE ...]     time of whole encodes
    python tools/bench_encode.py --attach                                                     time of attaching offsets
    python tools/bench_encode.py --memory                                                     memory over length

Compared are, with libx264, preset medium, crf 23, the sound copied, each run a process of its own:
    ffmpeg          the ffmpeg command line: imageio-ffmpeg's program, or --ffmpeg
    none            stcodec encode --attention none
    SOURCE          stcodec encode --attention SOURCE
    center at 0     the same with --strength 0: every offset is 0 and the pictures are those of "none", so that the
                    difference is what making and attaching offsets costs (--attach)
The runs are interleaved: every round has one run of each, beginning with another one each time, so that a slow moment
of the machine hits all alike. Ratios are taken within a round; the table shows their median, least and largest.
Clips are repeated (by stream copy) until ffmpeg takes --least-seconds. By default they are data/demo.mp4 and an
enlargement of it to 1920x1080. Results go to data/results/bench_encode.json, a section a mode; a process that fails
ends the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ffmpeg

import stcodec
from stcodec.media.ffmpeg import ffmpeg_version, find_ffmpeg

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo.mp4"
RESULTS = ROOT / "data" / "results" / "bench_encode.json"
PRESET, CRF = "medium", 23
MEMORY_LOOPS = (1, 4, 16)
QUANTITIES = {"wall_seconds": "wall", "cpu_seconds": "CPU", "peak_rss_mib": "peak memory", "output_bytes": "file size"}


@dataclass(frozen=True)
class Run:
    """One process, measured."""

    clip: str
    arm: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    """User and system time, of all threads."""
    peak_rss_mib: float
    """Largest resident set."""
    output_bytes: int


@dataclass(frozen=True)
class Bench:
    """Where and with what to measure."""

    ffmpeg: str
    folder: Path
    """For clips and outputs; gone afterwards."""

    def arm(self, name: str, clip: Path, output: Path) -> list[str]:
        """The command of an arm: "ffmpeg", or a source of attention, with " at 0" for strength 0."""
        if name == "ffmpeg":
            coding = {"vcodec": "libx264", "preset": PRESET, "crf": CRF, "acodec": "copy", "map": "0"}
            stream = ffmpeg.input(str(clip)).output(str(output), **coding)
            quiet = ("-hide_banner", "-loglevel", "error", "-nostdin")
            return [str(word) for word in stream.global_args(*quiet).overwrite_output().compile(cmd=self.ffmpeg)]
        source, _, strength = name.partition(" at ")
        command = [sys.executable, "-m", "stcodec", "encode", str(clip), str(output), "-y", "-q", "--no-verify"]
        command += ["--encoder", "libx264", "--preset", PRESET, "--crf", str(CRF), "--attention", source]
        return command + (["--strength", strength] if strength else [])

    def run(self, clip: Path, arm: str, number: int) -> Run:
        """Run an arm on a clip. Ends the program with what the process said if it fails."""
        output = self.folder / "output.mp4"
        command = self.arm(arm, clip, output)
        with tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                errors.seek(0)
                said = errors.read().decode(errors="replace")
                sys.exit(f"{' '.join(command)}\nended with status {process.returncode}:\n{said}")
        done = Run(
            clip=clip.stem,
            arm=arm,
            round=number,
            wall_seconds=round(wall_seconds, 3),
            cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
            peak_rss_mib=round(usage.ru_maxrss / 1024, 1),
            output_bytes=output.stat().st_size,
        )
        output.unlink()
        say(f"{done.clip}, round {number}: {arm}: {done.wall_seconds:.2f} s, {done.peak_rss_mib:.0f} MiB")
        return done

    def loop(self, clip: Path, times: int) -> Path:
        """The clip that many times over, streams copied."""
        output = self.folder / f"{clip.stem}_x{times}.mp4"
        self._make(ffmpeg.input(str(clip), stream_loop=times - 1).output(str(output), c="copy"))
        return output

    def enlarge(self, clip: Path) -> Path:
        """The clip in 1920x1080, at a quality that leaves encoders real work."""
        output = self.folder / f"{clip.stem}_1080p.mp4"
        coding = {"vf": "scale=1920:1080:flags=lanczos", "vcodec": "libx264", "preset": "veryfast", "crf": 14}
        self._make(ffmpeg.input(str(clip)).output(str(output), acodec="copy", **coding))
        return output

    def long_enough(self, clip: Path, least_seconds: float) -> Path:
        """The clip, repeated until ffmpeg takes so long to encode it."""
        once = self.run(clip, "ffmpeg", 0).wall_seconds
        return self.loop(clip, max(1, -int(-least_seconds // once)))

    def _make(self, stream: Any) -> None:
        stream.overwrite_output().run(cmd=self.ffmpeg, quiet=True)


def say(text: str) -> None:
    """To whoever waits: on stderr."""
    print(text, file=sys.stderr, flush=True)


def measure(bench: Bench, clips: Sequence[Path], arms: Sequence[str], rounds: int) -> list[Run]:
    """All arms on all clips, interleaved, after one round that is not counted."""
    runs = []
    for clip in clips:
        for number in range(rounds + 1):
            first = number % len(arms)
            for arm in (*arms[first:], *arms[:first]):
                done = bench.run(clip, arm, number)
                runs += [done] if number else []
    return runs


def ratios(runs: Sequence[Run], arms: Sequence[str], rivals: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each clip and each arm that has a rival: the ratios to it within a round, as median, least and largest."""
    table = []
    by_key = {(run.clip, run.arm, run.round): run for run in runs}
    for clip in dict.fromkeys(run.clip for run in runs):
        numbers = sorted({run.round for run in runs if run.clip == clip})
        for arm in (one for one in arms if one in rivals):
            row: dict[str, Any] = {"clip": clip, "arm": arm, "to": rivals[arm]}
            for quantity in QUANTITIES:
                mine = [getattr(by_key[clip, arm, number], quantity) for number in numbers]
                theirs = [getattr(by_key[clip, rivals[arm], number], quantity) for number in numbers]
                each = [one / other for one, other in zip(mine, theirs, strict=True)]
                values = {"median": statistics.median(each), "least": min(each), "largest": max(each)}
                row[quantity] = {name: round(value, 4) for name, value in values.items()}
            table.append(row)
    return table


def print_ratios(table: Sequence[Mapping[str, Any]]) -> None:
    """The table of ratios, on stdout."""
    names = [f"{row['clip']}: {row['arm']} / {row['to']}" for row in table]
    wide = max(map(len, names)) + 2
    print(" " * wide + "".join(f"{title:<22}" for title in QUANTITIES.values()))
    for name, row in zip(names, table, strict=True):
        cells = [row[quantity] for quantity in QUANTITIES]
        text = [f"{cell['median']:.3f} ({cell['least']:.3f}-{cell['largest']:.3f})" for cell in cells]
        print(f"{name:<{wide}}" + "".join(f"{cell:<22}" for cell in text))


def memory(bench: Bench, clip: Path, arms: Sequence[str]) -> list[Run]:
    """The peak memory of each arm on the clip repeated, printed as a table."""
    longer = {times: bench.loop(clip, times) for times in MEMORY_LOOPS}
    runs = [bench.run(longer[times], arm, 1) for arm in arms for times in MEMORY_LOOPS]
    print(f"{'peak memory, MiB':<22}" + "".join(f"{f'{times} x':<10}" for times in MEMORY_LOOPS))
    for arm in arms:
        peaks = [run.peak_rss_mib for run in runs if run.arm == arm]
        print(f"{arm:<22}" + "".join(f"{peak:<10.0f}" for peak in peaks))
    return runs


def describe(clip: Path) -> dict[str, Any]:
    """What was encoded."""
    import av  # not at the top: the processes measured start as a copy of this one, which is to stay small

    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        size = {"width_px": video.width, "height_px": video.height, "frames": video.frames}
    return {"name": clip.stem, **size, "size_bytes": clip.stat().st_size}


def circumstances(program: str) -> dict[str, Any]:
    """Versions, machine and command: what one must know to compare the figures with others."""
    cpu = [line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return {
        "versions": {
            "stcodec": stcodec.__version__,
            "av": version("av"),
            "python": platform.python_version(),
            "ffmpeg": ffmpeg_version(program),
        },
        "machine": {
            "cpu": cpu[0] if cpu else platform.processor(),
            "cores": os.cpu_count(),
            "system": platform.system(),
        },
        "command": ["python", f"tools/{Path(sys.argv[0]).name}", *sys.argv[1:]],
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def store(path: Path, section: str, content: Mapping[str, Any]) -> None:
    """Put a section into the results file; the other sections stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"schema": 1}
    results[section] = content
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what stcodec costs beside the ffmpeg command line.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--attach", action="store_true", help="measure what attaching offsets costs")
    mode.add_argument("--memory", action="store_true", help="measure peak memory over the length of the video")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sources", nargs="+", default=["center", "motion"], help="sources of attention")
    parser.add_argument("--clips", nargs="+", type=Path, help="default: the demo, and it in 1920x1080")
    parser.add_argument("--least-seconds", type=float, default=8.0, help="shortest run that counts")
    parser.add_argument("--ffmpeg", help="the ffmpeg program to compare with")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(find_ffmpeg(arguments.ffmpeg), Path(folder))
        clips = arguments.clips or [DEMO, bench.enlarge(DEMO)]
        known = circumstances(bench.ffmpeg)
        if arguments.memory:
            runs = memory(bench, clips[0], ["ffmpeg", "none", *arguments.sources])
            store(arguments.out, "memory", {**known, "clip": describe(clips[0]), "runs": [asdict(run) for run in runs]})
            return
        rivals = (
            {"center at 0": "none"} if arguments.attach else {"none": "ffmpeg"} | dict.fromkeys(arguments.sources, "none")
        )
        arms = ["none", "center at 0"] if arguments.attach else ["ffmpeg", "none", *arguments.sources]
        clips = [bench.long_enough(clip, arguments.least_seconds) for clip in clips]
        runs = measure(bench, clips, arms, arguments.rounds)
        table = ratios(runs, arms, rivals)
        print_ratios(table)
        section = {
            **known,
            "clips": [describe(clip) for clip in clips],
            "ratios": table,
            "runs": [asdict(run) for run in runs],
        }
        store(arguments.out, "attach" if arguments.attach else "encode", section)


if __name__ == "__main__":
    main()
