"""Confidence: how well the network's own maps will foretell gaze, as it says itself."""

from __future__ import annotations

import json
from pathlib import Path

import media
import numpy as np
import pytest

import stcodec
from stcodec.attention.center import center_density
from stcodec.attention.grids import sharpness_bits
from stcodec.attention.neural import NeuralSource
from stcodec.diagnose import InspectOptions, inspect
from stcodec.media.clips import read_clip
from stcodec.metrics.saliency import as_density
from stcodec.model.config import Confidence
from stcodec.model.weights_file import WEIGHTS_PATH, read_info

RESULTS = json.loads((Path(__file__).parents[1] / "data" / "results" / "confidence.json").read_text())
CELLS = (24, 40)


def shipped() -> Confidence:
    found = read_info(WEIGHTS_PATH).confidence
    assert found is not None
    return found


def test_an_even_map_promises_nothing_and_a_sharper_one_more() -> None:
    center = center_density(*CELLS)
    powers = [as_density(center**power).astype(np.float32) for power in (0.0, 0.2, 1.0, 3.0, 8.0)]
    expected = [shipped().expected_nss(sharpness_bits(one)) for one in powers]
    assert expected[0] == pytest.approx(0, abs=0.01)
    assert np.all(np.diff(expected) > 0.01)
    one_cell = np.zeros(CELLS, np.float32)
    one_cell[3, 4] = 1
    assert sharpness_bits(one_cell) == pytest.approx(np.log2(24 * 40))


def test_it_holds_on_clips_that_neither_network_nor_fit_has_seen() -> None:
    """The figures of the model card, computed again from those of each instant."""
    fits = {name: Confidence(**fit) for fold, fit in zip(RESULTS["folds"], RESULTS["by_fold"], strict=True) for name in fold}
    table = RESULTS["instants"]
    expected = np.array([fits[clip].expected_nss(sharpness) for clip, _, sharpness, _, _ in table])
    assert np.allclose(expected, [one[3] for one in table], atol=2e-3)
    achieved = np.array([one[4] for one in table])
    tenths = np.array_split(np.argsort(expected, kind="stable"), 10)
    distances = [abs(expected[tenth].mean() - achieved[tenth].mean()) for tenth in tenths]
    assert np.mean(distances) == pytest.approx(RESULTS["calibration_error"]["value"], abs=0.01)
    assert np.mean(distances) < 0.2 * achieved.std()
    assert np.corrcoef(expected, achieved)[0, 1] > 0.7
    unsure = expected < RESULTS["unsure_below"]
    assert achieved[unsure].mean() < RESULTS["unsure_below"] < achieved[~unsure].mean()


def test_what_is_shipped_is_what_was_fitted() -> None:
    assert vars(shipped()) == RESULTS["shipped"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make_video(tmp_path_factory.mktemp("confidence") / "video.mp4", size=(320, 192), frames=25)


def test_an_encode_reports_what_its_maps_promise(video: Path, tmp_path: Path) -> None:
    source = NeuralSource()
    track = source.attend(read_clip(video, source.spec))
    assert track.confidence is not None
    maps = [as_density(one).astype(np.float32) for one in track.saliency]
    assert np.allclose(track.confidence, [shipped().expected_nss(sharpness_bits(one)) for one in maps], atol=1e-3)
    report = stcodec.encode(video, tmp_path / "out.mp4", attention="neural", preset="ultrafast")
    told = json.loads(report.to_json())
    assert report.maps == len(track)
    assert told["confidence"] == pytest.approx(float(track.confidence.mean()), abs=1e-3)
    assert told["confidence_lowest"] == pytest.approx(float(track.confidence.min()), abs=1e-3)
    passes = stcodec.encode(
        video, tmp_path / "two.mp4", attention="neural", preset="ultrafast", bitrate_kbps=200, two_pass=True
    )
    assert passes.confidence == pytest.approx(told["confidence"], abs=1e-3) and passes.looks == report.looks
    goal = stcodec.MatchOptions(crf=34)
    searched = stcodec.match(video, tmp_path / "m.mp4", goal, attention="neural", preset="ultrafast")
    assert searched.confidence == pytest.approx(told["confidence"], abs=1e-3) and searched.looks == report.looks
    written = stcodec.maps(video, tmp_path / "maps.mkv", attention="neural")
    assert written.confidence == pytest.approx(told["confidence"], abs=1e-3)
    read_back = stcodec.encode(video, tmp_path / "b.mp4", attention=f"map:{tmp_path / 'maps.mkv'}", preset="ultrafast")
    assert read_back.confidence is None is read_back.confidence_lowest


def test_inspect_shows_it_at_every_instant(video: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    subject = inspect(video, InspectOptions(attention="neural", report=page)).subjects[0]
    assert len(subject.series["confidence"]) == len(subject.series["seconds"])
    # The map's spread is measured on another grid: the same sharpness, but for that.
    again = [shipped().expected_nss(float(np.log2(100 / area))) for area in subject.series["area_percent"]]
    assert subject.series["confidence"] == pytest.approx(again, abs=0.3)
    data = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    lane = next(one for one in data["subjects"][0]["lanes"] if one["name"] == "confidence")
    assert lane["unit"] == "expected NSS" and len(lane["values"]) == len(data["seconds"])
    assert "confidence" not in inspect(video, InspectOptions(attention="center")).subjects[0].series
