"""What a run does is counted, not timed: frames decoded, pictures looked at, copies and allocations a frame, modules."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import media
import pytest
from av.video.frame import VideoFrame

import stcodec
import stcodec.evaluate as ev
from stcodec.encoders.readback import qp_blocks
from stcodec.media.decode import VideoReader
from stcodec.media.file_decoder import FileDecoder
from stcodec.media.vectors import VectorField
from stcodec.options import EncodeOptions
from stcodec.types import BlockGrid

FRAMES = 150
QUICK: dict[str, Any] = {"preset": "ultrafast", "overwrite": True}


@pytest.fixture(scope="module")
def long_video(videos: Path) -> Path:
    """160x96, a single key frame, so that decoding anything at its end means decoding it all."""
    return media.make_video(videos / "one_key_frame.mp4", size=(160, 96), frames=FRAMES, options={"g": "250"})


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FileDecoder]:
    """Every file that is opened for decoding, in order."""
    found: list[FileDecoder] = []
    begin = FileDecoder.__init__

    def noted(self: FileDecoder, *arguments: Any, **options: Any) -> None:
        found.append(self)
        begin(self, *arguments, **options)

    monkeypatch.setattr(FileDecoder, "__init__", noted)
    return found


def decoded(opened: list[FileDecoder], path: Path) -> list[int]:
    """How many frames of a file were decoded, each time that it was opened for more than its first."""
    return [one.frames_read for one in opened if one.path == path and one.frames_read > 1]


@pytest.mark.parametrize("attention", ["none", "center"])
def test_the_source_is_decoded_once_and_the_file_hardly(
    long_video: Path, tmp_path: Path, attention: str, opened: list[FileDecoder]
) -> None:
    report = stcodec.encode(long_video, tmp_path / "out.mp4", attention=attention, keyint=250, **QUICK)
    assert report.frames == FRAMES and report.checks is not None and report.checks.frames_decoded == 9
    counts = [one.frames_read for one in opened]
    assert counts[0] == FRAMES
    # Read-back also looks at a frame of the file, and encodes the first frames plainly.
    assert sum(counts[1:]) <= (10 if attention == "none" else 40), counts


@pytest.mark.parametrize(("weights", "looks"), [(None, 0), ("center", 1)])
def test_files_are_compared_in_one_pass(
    long_video: Path, tmp_path: Path, opened: list[FileDecoder], weights: str | None, looks: int
) -> None:
    """The reference is decoded once for each file, and once for the weights."""
    copies = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for copy in copies:
        copy.symlink_to(long_video)
    options = ev.CompareOptions(weights=weights, metrics=("psnr",), jobs=1)
    results = ev.compare(long_video, copies, options=options)
    assert results.failures == () and results.clips[0].seconds[-1] == pytest.approx((FRAMES - 1) / 25)
    assert [decoded(opened, copy) for copy in copies] == [[FRAMES]] * 2
    assert decoded(opened, long_video) == [FRAMES] * (looks + len(copies))


def test_an_encode_is_scored_in_one_pass(long_video: Path, tmp_path: Path, opened: list[FileDecoder]) -> None:
    """The reference is decoded for its times and for its weights, then to be encoded and to be scored."""
    options = ev.EvaluateOptions(
        presets={"": "ultrafast"},
        crfs=(30, 40),
        arms=(ev.ArmChoice("plain", "none"),),
        weights="center",
        metrics=("psnr",),
        instants=0,
        encode=EncodeOptions(keyint=250),
    )
    results = ev.run([long_video], tmp_path / "report", options=options, running=ev.EvaluateRun(jobs=1))
    assert results.failures == ()
    assert decoded(opened, long_video) == [FRAMES] * (2 + 2 * 2)
    others = [one.frames_read for one in opened if one.path != long_video]
    assert [count for count in others if count > 9] == [FRAMES] * 2  # the check of an encode looks at a few


def test_a_still_is_looked_at_once_a_second_and_what_moves_at_every_second_instant_at_least(tmp_path: Path) -> None:
    moving = media.make_video(tmp_path / "moving.mp4", size=(320, 192), frames=50)
    still = tmp_path / "still.mp4"
    media.run_ffmpeg("-i", moving, "-vf", "trim=end_frame=1,loop=49:1:0,setpts=N/25/TB", "-r", "25", still)
    reports = [stcodec.encode(one, tmp_path / "out.mp4", attention="neural", **QUICK) for one in (still, moving)]
    assert [report.maps for report in reports] == [10, 10]
    assert reports[0].looks == 2
    assert reports[1].looks >= 5


@pytest.mark.parametrize("attention", ["none", "center"])
def test_no_frame_is_copied_through_python(tmp_path: Path, attention: str) -> None:
    video = media.make_video(tmp_path / "video.mp4", size=(1280, 720), frames=8)
    one_frame = 1280 * 720 * 3 // 2

    def run() -> None:
        stcodec.encode(video, tmp_path / "out.mp4", attention=attention, verify=False, **QUICK)

    run()  # what is imported and made once
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < one_frame, f"{peak} bytes at once: a frame has {one_frame}"


@pytest.mark.parametrize("attention", ["none", "motion"])
def test_what_a_frame_allocates_is_given_back(long_video: Path, tmp_path: Path, attention: str) -> None:
    """Blocks that are still there, and bytes at most at once, hardly grow with the number of frames."""

    def run(frames: int) -> tuple[int, int]:
        """Blocks of Python's memory that an encode of so many frames leaves, and its peak in bytes."""
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            before = sys.getallocatedblocks()
            done = stcodec.encode(
                long_video, tmp_path / "out.mp4", attention=attention, verify=False, end_seconds=frames / 25, **QUICK
            )
            assert done.frames == frames
            return sys.getallocatedblocks() - before, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.enable()

    run(50)  # what is imported and made once
    (few, low), (many, high) = run(50), run(FRAMES)
    more = FRAMES - 50
    assert (many - few) / more < 1, f"{many - few} blocks stay of {more} frames more"
    assert (high - low) / more < 300, f"{high - low} bytes at once for {more} frames more"


@pytest.mark.parametrize("export", ["", "mvs", "venc_params"])
def test_a_frame_that_was_read_is_freed_at_once(long_video: Path, export: str) -> None:
    """Without waiting for Python to collect cycles, which a loop over frames hardly ever makes it do."""
    assert alive_after(long_video, export) <= 3  # the first, which the reader keeps, and the last


def test_frames_that_waited_for_a_time_are_freed_too(long_video: Path, tmp_path: Path) -> None:
    source = tmp_path / "before.mkv"
    early = "-c copy -output_ts_offset -1.5 -avoid_negative_ts disabled"
    media.run_ffmpeg("-i", long_video, *early.split(), source)
    assert alive_after(source, "") <= 5


def alive_after(video: Path, export: str) -> int:
    """Frames in memory when nearly all of a video were read."""
    gc.collect()
    gc.disable()
    try:
        with VideoReader(video, export=export) as reader:
            vectors = VectorField(reader.info)
            for frame in islice(reader.frames(), FRAMES - 5):
                vectors.add(frame)
                qp_blocks(frame, BlockGrid(frame.width, frame.height, 16))
            return sum(type(one) is VideoFrame for one in gc.get_objects())
    finally:
        gc.enable()


def test_a_plain_run_imports_nothing_for_attention(long_video: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from stcodec.cli import main\n"
        f"main(['encode', {str(long_video)!r}, {str(tmp_path / 'out.mp4')!r}, '-q', '--attention', 'none'])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unwanted = {"cv2", "onnxruntime", "importlib.metadata", "rich", "torch", "sqlite3", "stcodec.metrics.fidelity"}
    loaded = set(done.stdout.split())
    assert "av" in loaded
    assert not loaded & unwanted


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so")
def test_scoring_asks_for_its_memory_once(tmp_path: Path) -> None:
    """In a process of its own: what others have freed before would hide it."""
    video = media.make_video(tmp_path / "video.mp4", size=(960, 544), frames=10)
    code = f"""
import pathlib, resource
from stcodec.evaluate.score import Comparison, measure

video = pathlib.Path({str(video)!r})
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    measure(Comparison(video, video, ("psnr-whole", "ssim-whole")))
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pages_of_luma = 960 * 544 // 4096
    assert int(done.stdout) < 8 * pages_of_luma, f"{done.stdout} pages were asked for with every picture"
