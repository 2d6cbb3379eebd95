"""FovVideoVDP and ColorVideoVDP along recorded scanpaths. The packages are not ours: what needs them is left out without."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import command
import media
import numpy as np
import pytest
import viewers

import stcodec.evaluate as ev
from stcodec.attention.gaze import GazeSource
from stcodec.errors import OptionsError
from stcodec.evaluate.guidance import Guide
from stcodec.evaluate.scanpaths import scanpath, write_scanpaths
from stcodec.media.decode import VideoReader
from stcodec.media.rgb import RgbReader
from stcodec.metrics.jod import Screening, color_jods, foveated_jods, pooled_jod

SIZE = (384, 216)
FRAMES = 12
needs_fvvdp = pytest.mark.skipif(find_spec("pyfvvdp") is None, reason="pyfvvdp is not installed")
needs_cvvdp = pytest.mark.skipif(find_spec("pycvvdp") is None, reason="cvvdp is not installed")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make_video(tmp_path_factory.mktemp("jod") / "video.mp4", size=SIZE, frames=FRAMES)


@pytest.fixture(scope="module")
def worse(video: Path) -> dict[str, Path]:
    """The video encoded well and badly, and with its right third blurred."""
    made = {name: video.with_name(f"{name}.mkv") for name in ("fine", "coarse", "right")}
    for name, crf in (("fine", "20"), ("coarse", "36")):
        media.run_ffmpeg("-i", video, "-c:v", "libx264", "-preset", "ultrafast", "-crf", crf, made[name])
    third = SIZE[0] // 3
    blur = f"[0]split[a][b];[b]crop={third}:{SIZE[1]}:{2 * third}:0,boxblur=4[c];[a][c]overlay={2 * third}:0"
    media.run_ffmpeg(
        "-i", video, "-filter_complex", blur, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", made["right"]
    )
    return made


def gaze_at(video: Path, x_px: float) -> Path:
    return viewers.make_gaze(video.with_name(f"{x_px:g}.csv"), [(x_px, SIZE[1] / 2)])


def jods(video: Path, other: Path, x_px: float, metric: str = "fvvdp") -> float:
    options = ev.CompareOptions(gaze=gaze_at(video, x_px), metrics=(metric,), jobs=1, observers=1)
    results = ev.compare(video, [other], options=options)
    assert results.failures == ()
    value = results.curves[0].points[0].scores[metric]
    assert value is not None
    return value


# --- viewers ----------------------------------------------------------------------------------------------------------


def test_a_scanpath_is_at_the_fixation_that_began_last(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "gaze.csv"
    path.write_text(
        "observer,start_ms,duration_ms,x_px,y_px\n"
        "7,240,100,384,54\n7,80,100,192,108\n"  # not in order; none from 180 to 240 ms
        "3,0,400,500,-9\n"  # beside the frame
        "5,100,10,0,0\n"
    )
    with VideoReader(video) as reader:
        places = scanpath(GazeSource(path).fixations, 7, [0.0, 0.08, 0.2, 0.24, 0.4], reader.info)
    assert places.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [1.0, 0.25], [1.0, 0.25]]
    write_scanpaths(video, Guide(f"gaze:{path}"), [0.04 * index for index in range(FRAMES)], 2, tmp_path / "paths.npy")
    stored = np.load(tmp_path / "paths.npy")
    assert stored.shape == (2, FRAMES, 2) and stored.dtype == np.float32
    assert stored[0].tolist() == [[1.0, 0.0]] * FRAMES  # whose gaze is known longest comes first
    assert stored[1, -1].tolist() == [1.0, 0.25]
    judging = Guide(f"gaze:{path}", observers=(5, 7))
    write_scanpaths(video, judging, [0.0, 0.3], 9, tmp_path / "judging.npy")
    assert np.load(tmp_path / "judging.npy").shape == (2, 2, 2)


def test_pictures_as_a_display_takes_them(tmp_path: Path) -> None:
    turned = media.make_rotated_video(tmp_path / "turned.mp4", 90, size=(96, 64), frames=3)
    with VideoReader(turned) as reader:
        picture = RgbReader(reader.info)(next(iter(reader.frames())))
        assert picture.shape == (reader.info.display_height_px, reader.info.display_width_px, 3) == (96, 64, 3)
        assert picture.dtype == np.uint8


def test_what_is_missing_is_said_in_a_line(video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = ("compare", video, video, "--metrics")
    refused = command.assert_refused
    if find_spec("pyfvvdp") is None:
        words = "fvvdp needs the package pyfvvdp, which is not installed: .*docs/evaluate.md"
        refused(capfd, video.parent, 2, words, *one, "fvvdp", "--gaze", gaze_at(video, 20))
    if find_spec("pycvvdp") is None:
        refused(capfd, video.parent, 2, "cvvdp needs the package cvvdp, which is not installed", *one, "cvvdp")
    refused(capfd, video.parent, 2, "fvvdp needs to know where people look", *one, "fvvdp")
    refused(capfd, video.parent, 2, "observers is 0", *one, "psnr", "--observers", "0")
    with pytest.raises(OptionsError, match="observers is 0: allowed is 1 or more"):
        ev.EvaluateOptions(observers=0)


@needs_fvvdp
def test_viewers_are_needed(video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "fvvdp follows recorded viewers: give --gaze"
    command.assert_refused(
        capfd, video.parent, 2, words, "compare", video, video, "--metrics", "fvvdp", "--weights", "center"
    )


# --- the packages -----------------------------------------------------------------------------------------------------


@needs_fvvdp
def test_foveated_jods_fall_with_quality_and_less_beside_the_gaze(video: Path, worse: dict[str, Path]) -> None:
    fine, coarse = (jods(video, worse[name], 330.0) for name in ("fine", "coarse"))
    assert 10 > fine > coarse + 0.5
    assert jods(video, worse["right"], 20.0) > jods(video, worse["right"], 330.0) + 0.1
    assert jods(video, video, 20.0) == pytest.approx(10, abs=1e-3)


@needs_cvvdp
def test_color_jods_fall_with_quality_wherever_viewers_look(video: Path, worse: dict[str, Path]) -> None:
    fine, coarse = (jods(video, worse[name], 330.0, "cvvdp") for name in ("fine", "coarse"))
    assert 10 > fine > coarse + 0.3
    assert jods(video, worse["right"], 20.0, "cvvdp") == jods(video, worse["right"], 330.0, "cvvdp")


def noisy_pairs(frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(2)
    one = random.integers(60, 200, (64, 96, 3)).astype(np.uint8)
    return [
        (one, np.clip(one + random.normal(0, 6 + 6 * index, one.shape), 0, 255).astype(np.uint8)) for index in range(frames)
    ]


SHOWN = Screening(96, 64, 6, 25.0, 3.0)


@needs_fvvdp
def test_frames_are_pooled_as_fovvideovdp_pools_them() -> None:
    import pyfvvdp
    import torch

    pairs = noisy_pairs(6)
    look = np.full((6, 2), 30, np.float32)
    geometry = pyfvvdp.fvvdp_display_geometry((96, 64), distance_display_heights=3.0, diagonal_size_inches=24)
    cpu = torch.device("cpu")
    meter = pyfvvdp.fvvdp("standard_fhd", display_geometry=geometry, foveated=True, quiet=True, device=cpu)
    theirs, _ = meter.predict(
        np.stack([other for _, other in pairs]), np.stack([one for one, _ in pairs]), "FHWC", 25.0, fixation_point=look
    )
    assert pooled_jod("fvvdp", np.array(foveated_jods(iter(pairs), SHOWN, look))) == pytest.approx(float(theirs), abs=2e-3)


@needs_cvvdp
def test_frames_are_pooled_as_colorvideovdp_pools_them() -> None:
    pairs = noisy_pairs(6)
    ours = pooled_jod("cvvdp", np.array(color_jods(iter(pairs), SHOWN)))
    # After ours: the two packages are in each other's way.
    import pycvvdp
    import torch

    geometry = pycvvdp.vvdp_display_geometry((96, 64), distance_display_heights=3.0, diagonal_size_inches=24)
    meter = pycvvdp.cvvdp("standard_fhd", display_geometry=geometry, quiet=True, device=torch.device("cpu"))
    theirs, _ = meter.predict(np.stack([other for _, other in pairs]), np.stack([one for one, _ in pairs]), "FHWC", 25.0)
    assert ours == pytest.approx(float(theirs), abs=2e-2)


@needs_fvvdp
def test_many_files_at_once_score_as_each_by_itself(video: Path, worse: dict[str, Path]) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    shared = import_module("shared_jod")
    shown = shared.screening(video, 3.0)
    paths = np.array([[[38, 108]] * FRAMES, [[345, 86]] * FRAMES], np.float32)
    files = [worse["coarse"], worse["right"]]
    scored = [False] * 4 + [True] * (FRAMES - 4)
    found = shared.shared_jods(video, files, shown, paths, scored)
    assert found.shape == (2, 2, FRAMES) and np.isnan(found[..., :4]).all()
    for at, other in enumerate(files):
        for viewer, path in enumerate(paths):
            pairs = zip(shared.pictures(video), shared.pictures(other), strict=True)
            alone = foveated_jods(pairs, shown, path)
            assert found[at, viewer, 4:] == pytest.approx(alone[4:], abs=1e-4)
