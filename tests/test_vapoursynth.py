"""What a VapourSynth script makes is encoded with offsets that follow the maps of its own pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from coding import coded_qps

from stcodec.media.decode import VideoReader
from stcodec.media.gray_writer import GrayVideoWriter

pytest.importorskip("vapoursynth", reason="VapourSynth is not installed (its wheels begin with Python 3.12)")
EXAMPLE = Path(__file__).parents[1] / "examples" / "vapoursynth_offsets.py"
FRAMES = 40
SCRIPT = f"""
import numpy, vapoursynth as vs
grey = vs.core.std.BlankClip(width=384, height=256, format=vs.YUV420P8, length={FRAMES}, fpsnum=25, fpsden=1)
def noise(n, f):  # no block is skipped, and adaptive quantisation has nothing to prefer
    made = f.copy()
    for plane in made:
        pixels = numpy.asarray(plane)
        pixels[:] = numpy.random.default_rng(n).integers(90, 166, pixels.shape)
    return made
grey.std.ModifyFrame(grey, noise).set_output()
"""


def run(folder: Path, *words: str) -> None:
    (folder / "script.vpy").write_text(SCRIPT)
    command = [sys.executable, str(EXAMPLE), "script.vpy", *words]
    environment = os.environ | {"PYTHONPATH": str(EXAMPLE.parents[1])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")


def test_maps_reach_the_qp_of_the_scripts_pictures(tmp_path: Path) -> None:
    run(tmp_path, "center.mp4", "center")
    with VideoReader(tmp_path / "center.mp4") as reader, GrayVideoWriter(tmp_path / "maps.mkv", reader.info, "m") as writer:
        for number in range(FRAMES):
            left = np.tile(np.repeat([1.0, 0.0, 0.0, 0.0], 6), (16, 1)).astype(np.float32)
            writer.write(left if number < FRAMES // 2 else left[:, ::-1])
    run(tmp_path, "out.mp4", "map:maps.mkv")
    qps = [found for _, found in coded_qps(tmp_path / "out.mp4").values() if found is not None]
    assert len(qps) == FRAMES
    lead = [one[:, -5:].mean() - one[:, :5].mean() for one in qps]
    assert np.mean(lead[:3]) > 0.4 and np.mean(lead[-3:]) < -0.4, lead  # the policy smooths what lies between
