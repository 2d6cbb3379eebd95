"""The bridge to GStreamer: regions go through a pipeline and reach the QP of an encode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import media
import numpy as np
import pytest
from coding import coded_qps

import stcodec
from stcodec.media.decode import VideoReader
from stcodec.media.gray_writer import GrayVideoWriter
from stcodec.pipeline.export import export_maps

EXAMPLE = Path(__file__).parents[1] / "examples" / "gstreamer_regions.py"
DEBIAN = Path("/usr/lib/python3/dist-packages/gi")
TRIED = """
import gi
gi.require_version("Gst", "1.0"); gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo
Gst.init(None)
missing = [name for name in ("decodebin", "y4mdec", "videoconvert", "appsink") if Gst.ElementFactory.find(name) is None]
assert not missing, f"no {', '.join(missing)}"
"""
FRAMES = 12
POLICY = stcodec.OffsetPolicy(floor=0.1, smoothing_seconds=0)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where GStreamer's Python is found: Debian's is taken into a virtual environment of the same version of Python."""
    folder = tmp_path_factory.mktemp("gi")
    if DEBIAN.is_dir():
        (folder / "gi").symlink_to(DEBIAN)
    found = os.environ | {"PYTHONPATH": os.pathsep.join([str(EXAMPLE.parents[1]), str(folder)])}
    done = subprocess.run([sys.executable, "-c", TRIED], env=found, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"GStreamer is not installed: {done.stderr.strip().splitlines()[-1]}")
    return found


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    """Noise: no block is skipped, and adaptive quantisation has nothing to prefer."""
    path = videos / "for_gstreamer.y4m"
    noise = f"color=gray:size=384x256:rate=25,format=yuv420p,noise=alls=60:allf=t,trim=end_frame={FRAMES}"
    media.run_ffmpeg("-f", "lavfi", "-i", noise, path)
    return path


def through_gstreamer(environment: dict[str, str], *words: object) -> None:
    command = [sys.executable, str(EXAMPLE), *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_recorded_maps_reach_the_qp_of_blocks(environment: dict[str, str], video: Path, tmp_path: Path) -> None:
    maps, rects, out = tmp_path / "maps.mkv", tmp_path / "rects.jsonl", tmp_path / "out.mp4"
    with VideoReader(video) as reader, GrayVideoWriter(maps, reader.info, maps.name) as writer:
        for number in range(FRAMES):
            left = np.tile(np.repeat([1.0, 0.1], 12), (16, 1)).astype(np.float32)
            writer.write(left if number < FRAMES // 2 else left[:, ::-1])
    export_maps(video, rects, "json-rects", attention=f"map:{maps}", policy=POLICY)
    through_gstreamer(environment, video, rects, out)
    qps = [found for _, found in coded_qps(out).values() if found is not None]
    assert len(qps) == FRAMES
    lead = [one[:, 14:].mean() - one[:, :10].mean() for one in qps]
    assert min(lead[: FRAMES // 2]) > 4
    assert max(lead[FRAMES // 2 :]) < -4


def test_maps_that_are_made_in_the_pipeline(environment: dict[str, str], video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    through_gstreamer(environment, video, "center", out)
    first = next(qps for is_key, qps in coded_qps(out).values() if is_key and qps is not None)
    assert first[6:10, 9:15].mean() < first[[0, -1]].mean() - 1
