"""SIGKILL at random instants: what is there is whole, originals stay, the next run goes on and cleans up."""

from __future__ import annotations

import io
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import av
import ending
import live_rigs
import media
import pytest
from command import ENVIRONMENT, program

FRAMES = 60
OLD = b"what was here before"
ENCODES = {
    "one pass": ("--attention", "motion"),
    "two passes": ("--attention", "motion", "--two-pass", "--bitrate", "300k"),
    "search": ("--attention", "motion", "--match-crf", "30"),
}
BATCH = ("--attention", "motion", "--jobs", "2", "-q")
BATCHES = {
    "whole": ("batch", "in", "out", *BATCH),
    "parts": ("batch", "in", "out", "--part-seconds", "0.8", "--keyint", "10", *BATCH),
    "ladder": ("batch", "in", "out", "--ladder", "120p@200k,90p@100k", *BATCH),
    "replace": ("batch", "in", "--replace", "--min-saving", "1", "--crf", "35", *BATCH),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos, and a place for temporary files."""
    media.make_video(tmp_path / "in.mkv", size=(192, 144), frames=FRAMES, cuts=[20, 40])  # where parts begin
    media.make_video(tmp_path / "tiny.mkv", size=(64, 48), frames=4)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def finish(folder: Path, *arguments: str) -> None:
    """A run that nothing disturbs."""
    done = subprocess.run(
        program(*arguments),
        cwd=folder,
        env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def killed(folder: Path, after_seconds: float, *arguments: str, begins: Callable[[], bool] = lambda: True) -> ending.End:
    """A run that is killed some time after it has begun to work, with no chance to end its children."""
    process = ending.start(folder, *arguments)
    while not begins() and process.poll() is None:
        time.sleep(0.01)
    end = ending.end(process, folder, after_seconds, signal.SIGKILL)
    ending.wait_until_alone(process)
    return end


@dataclass
class Instants:
    """Random instants within a run, however long runs take just now; a run that was over before is not counted."""

    rng: random.Random
    usual: float = 3.0

    def kill(self, folder: Path, *arguments: str, begins: Callable[[], bool] = lambda: True) -> ending.End:
        end = killed(folder, self.rng.uniform(0, self.usual), *arguments, begins=begins)
        self.usual *= 0.7 if end.was_over else 1.1
        return end


def counting(seen: Counter[str], count: int) -> Iterator[int]:
    """Tries until so many runs were killed."""
    for number in range(10 * count):
        if seen["killed"] >= count:
            return
        yield number
    raise AssertionError(f"too few runs were at work when they were killed: {dict(seen)}")


def assert_whole(path: Path) -> None:
    assert len(media.frames_of(path)) == FRAMES, path


def assert_nothing_left(folder: Path) -> None:
    assert [one.name for one in (folder / "tmp").iterdir()] == []
    assert list(folder.rglob("*stcodec-????????-*")) == []


# --- encode ---------------------------------------------------------------------------------------------------------------


def kill_encodes(folder: Path, name: str, count: int) -> Counter[str]:
    arguments = ("encode", "in.mkv", "out.mp4", "--report", "out.json", "-y", "-q", *ENCODES[name])
    instants, seen = Instants(random.Random(name)), Counter[str]()
    for index in counting(seen, count):
        (folder / "out.json").unlink(missing_ok=True)
        (folder / "out.mp4").unlink(missing_ok=True)
        if index % 2:
            (folder / "out.mp4").write_bytes(OLD)
        end = instants.kill(folder, *arguments)
        seen["over" if end.was_over else "killed"] += 1
        if not (folder / "out.mp4").exists():
            assert index % 2 == 0 and not end.was_over
        elif (folder / "out.mp4").read_bytes() != OLD:
            assert_whole(folder / "out.mp4")
            seen["with a file"] += 1
        seen["left something"] += any((folder / "tmp").iterdir()) or bool(list(folder.glob(".stcodec-*")))
        finish(folder, "encode", "tiny.mkv", "next.mkv", "-y", "-q", "--attention", "none", "--two-pass", "--bitrate", "50k")
        assert_nothing_left(folder)
    return seen


def test_encode_killed_a_few_times(folder: Path) -> None:
    assert kill_encodes(folder, "two passes", 2)["killed"] == 2


@pytest.mark.long
@pytest.mark.parametrize("name", ENCODES)
def test_encode_killed_many_times(folder: Path, name: str) -> None:
    seen = kill_encodes(folder, name, 20)
    print(f"\nencode, {name}: {dict(seen)}")
    assert seen["left something"] > 3  # else the instants were all too early or too late to be of interest


# --- batch ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """One kind of batch in a folder."""

    folder: Path
    name: str

    @property
    def names(self) -> set[str]:
        """Its videos: with more of them for each worker none is cut."""
        return {f"{number}.mkv" for number in range(2 if self.name == "parts" else 4)}

    @property
    def output(self) -> Path:
        return self.folder / ("in" if self.name == "replace" else "out")

    @property
    def state(self) -> Path:
        return self.output / ".stcodec-batch"

    def is_at_work(self) -> bool:
        """Whether something is being made."""
        return any(path.is_file() and path.name != ".stcodec-lock" for path in (self.state / "work").rglob("*"))

    def begin(self) -> None:
        for one in ("in", "out"):
            shutil.rmtree(self.folder / one, ignore_errors=True)
        (self.folder / "in").mkdir()
        for name in self.names:
            shutil.copy(self.folder / "in.mkv", self.folder / "in" / name)

    def results(self) -> dict[str, tuple[int, int]]:
        """What is under the outputs' names now, each whole: the number of its node and its time of change."""
        found = {}
        for path in sorted(self.output.iterdir()) if self.output.exists() else []:
            if path.name.startswith("."):
                continue
            if path.is_dir():
                self._assert_whole_package(path)
            else:
                assert_whole(path)
            status = path.stat()
            if self.name != "replace" or path.read_bytes() != (self.folder / "in.mkv").read_bytes():
                found[path.name] = status.st_ino, status.st_mtime_ns
        return found

    def _assert_whole_package(self, path: Path) -> None:
        with av.open(str(path / "master.m3u8")) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAMES

    def assert_done(self, before: dict[str, tuple[int, int]]) -> None:
        """All is made, nothing of it twice, and nothing else is there."""
        after = self.results()
        assert {name: after.get(name) for name in before} == before
        assert len(after) == len(self.names)
        assert {one.name for one in (self.folder / "in").iterdir() if not one.name.startswith(".")} == self.names
        assert [*(self.state / "work").iterdir(), *self.state.glob("parts/*")] == []
        assert_nothing_left(self.folder)


def kill_batches(folder: Path, name: str, count: int, *, beside: bool) -> Counter[str]:
    """beside: another run shares the work, and has to finish it. Else the same command goes on, twice."""
    batch, arguments = Batch(folder, name), BATCHES[name]
    rng, seen = random.Random(name), Counter[str]()
    from_start, from_work = Instants(rng), Instants(rng)
    for number in counting(seen, count):
        batch.begin()
        other = (
            subprocess.Popen(program(*arguments), cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE) if beside else None
        )
        if number % 4:  # most of a short run is its imports
            end = from_work.kill(folder, *arguments, begins=batch.is_at_work)
        else:
            end = from_start.kill(folder, *arguments)
        seen["over" if end.was_over else "killed"] += 1
        before = batch.results()
        seen["files there"] += len(before)
        seen["in hand"] += not end.was_over and len(before) < len(batch.names)
        seen["parts there"] += any(batch.state.glob("parts/*"))
        if other is not None:
            _, err = other.communicate(timeout=120)
            assert (other.returncode, err) == (0, b"")
            assert len(batch.results()) == len(batch.names)
        elif rng.random() < 0.3:
            second = from_start.kill(folder, *arguments)
            seen["over" if second.was_over else "killed"] += 1
        elif rng.random() < 0.3:
            (batch.state / "jobs.sqlite").unlink(missing_ok=True)
            seen["table deleted"] += 1
        finish(folder, *arguments)
        batch.assert_done(before)
    return seen


@pytest.mark.parametrize("beside", [False, True])
def test_batch_killed_a_few_times(folder: Path, beside: bool) -> None:
    assert kill_batches(folder, "whole", 1, beside=beside)["killed"] >= 1


@pytest.mark.long
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", BATCHES)
def test_batch_killed_many_times(folder: Path, name: str, beside: bool) -> None:
    seen = kill_batches(folder, name, 8, beside=beside)
    print(f"\nbatch, {name}, {1 + beside} at once: {dict(seen)}")
    assert seen["in hand"] > 3 and (name != "parts" or seen["parts there"] > 1)


# --- stream ---------------------------------------------------------------------------------------------------------------


def frames_of_playlist(path: Path) -> int:
    """Frames of what a media playlist names, as a player gets it."""
    text = path.read_text()
    assert text.startswith("#EXTM3U\n") and text.endswith("\n")
    heads = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)
    segments = [line for line in text.splitlines() if line and not line.startswith("#")]
    content = b"".join((path.parent / name).read_bytes() for name in (*heads[:1], *segments))
    if not segments:
        return 0
    with av.open(io.BytesIO(content), "r") as container:
        return sum(1 for _ in container.decode(video=0))


def frames_of_manifest(path: Path) -> int:
    """Frames of the segments that are there of a DASH manifest's newest period."""
    names = {"": "urn:mpeg:dash:schema:mpd:2011"}
    periods = ElementTree.parse(path).getroot().findall("Period", names)
    count = 0
    for template in periods[-1].findall(".//SegmentTemplate", names) if periods else []:
        segments = sorted(path.parent.glob(template.get("media", "").replace("$Number$", "*")))
        head = (path.parent / template.get("initialization", "")).read_bytes()
        with av.open(io.BytesIO(head + b"".join(one.read_bytes() for one in segments)), "r") as container:
            count += sum(1 for _ in container.decode(video=0)) if container.streams.video else 0
    return count


def frames_of_recording(path: Path) -> int:
    """Frames of a file that may lack its end, or have no more than a piece of its head."""
    if path.stat().st_size < 1000:
        return 0
    with av.open(str(path), "r") as container:
        return sum(1 for _ in container.decode(video=0)) if container.streams.video else 0


def live_arguments(folder: Path, index: int, port: int) -> tuple[str, ...]:
    """A stream from a file, or one that waits for its caller, to a playlist, a manifest and a recording."""
    source = "in.mkv" if index % 2 else f"srt://127.0.0.1:{port}?mode=listener"
    targets = (
        "live/all.m3u8",
        "live/all.mpd",
        f"tcp://127.0.0.1:{live_rigs.free_port()}?listen=1",
        "--record",
        "live/talk.mkv",
    )
    loop = ("--loop",) if index % 2 else ()
    return ("stream", source, *targets, *loop, "--attention", "motion", "--keyint", "0.4s", "-q")


def kill_streams(folder: Path, count: int) -> Counter[str]:
    rng, seen = random.Random(5), Counter[str]()
    for index in range(count):
        shutil.rmtree(folder / "live", ignore_errors=True)
        (folder / "live").mkdir()
        port = live_rigs.free_port()
        # Files are recorded, which takes a moment to begin; nobody calls those that wait for a caller.
        begins = (folder / "live" / "talk.mkv").exists if index % 4 == 1 else lambda: True
        end = killed(folder, rng.uniform(0, 4), *live_arguments(folder, index, port), begins=begins)
        seen["killed"] += end.status == -signal.SIGKILL
        assert end.status == -signal.SIGKILL, end
        assert not live_rigs.is_listening(port)
        for recording in (folder / "live").glob("talk*.mkv"):
            seen["frames recorded"] += frames_of_recording(recording)
        for playlist in (folder / "live").glob("all_*.m3u8"):
            if "RESOLUTION" not in playlist.read_text() and "audio" not in playlist.name:
                seen["frames in playlists"] += frames_of_playlist(playlist)
        for manifest in (folder / "live").glob("all.mpd"):
            seen["frames in manifests"] += frames_of_manifest(manifest)
    assert_nothing_left(folder)
    return seen


def test_stream_killed_a_few_times(folder: Path) -> None:
    assert kill_streams(folder, 2)["killed"] == 2


@pytest.mark.long
def test_stream_killed_many_times(folder: Path) -> None:
    seen = kill_streams(folder, 60)
    print(f"\nstream: {dict(seen)}")
    assert all(seen[f"frames {where}"] > 200 for where in ("recorded", "in playlists", "in manifests"))


def test_what_this_holds_is_seen_to_fail(folder: Path) -> None:
    """Half a file is found out."""
    (folder / "half.mkv").write_bytes((folder / "in.mkv").read_bytes()[:3000])
    with pytest.raises((AssertionError, av.error.FFmpegError)):
        assert_whole(folder / "half.mkv")
