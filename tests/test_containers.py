"""Containers x codecs x sounds x subtitles: what comes out is right, converted, or said to be left out."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import pytest
from media import run_ffmpeg

import stcodec
from stcodec.media.decode import VideoReader


def _tool() -> ModuleType:
    """The script, as if its folder were where Python looks."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
    try:
        return importlib.import_module("container_matrix")
    finally:
        sys.path.pop(0)


MATRIX = _tool()
PAIRS = [(number, source, ending) for number, source in enumerate(MATRIX.SOURCES) for ending in MATRIX.OUTPUTS]
PLAIN = stcodec.EncodeOptions(attention="none", preset="ultrafast")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sources, each made when it is wanted first."""
    return tmp_path_factory.mktemp("containers")


def made(name: str, folder: Path) -> tuple[Path, Any]:
    source = next(one for one in MATRIX.SOURCES if one.name == name)
    path = folder / f"{source.name}{source.ending}"
    return path if path.exists() else MATRIX.make_source(source, folder), source


def test_the_matrix_has_all_containers_and_many_codecs() -> None:
    assert len(PAIRS) >= 120
    assert len({source.ending for _, source, _ in PAIRS}) >= 14
    assert len({source.audio for _, source, _ in PAIRS}) >= 20


@pytest.mark.long
@pytest.mark.parametrize(("number", "source", "ending"), PAIRS, ids=lambda one: str(getattr(one, "name", one)))
def test_all_is_kept_converted_or_said(number: int, source: Any, ending: str, folder: Path) -> None:
    path, _ = made(source.name, folder)
    trial = MATRIX.attempt(path, source, ending, folder, MATRIX.attention_for(number, ending))
    assert not trial.wrong, f"{trial.wrong}, messages: {trial.messages}"
    assert not trial.refusal, trial.refusal  # of these sources, none has to be refused


def test_truehd_in_one_millisecond_reaches_mpegts_as_aac(folder: Path) -> None:
    path, source = made("mkv-libx264-truehd", folder)
    trial = MATRIX.attempt(path, source, ".ts", folder, "none")
    assert (trial.audio, trial.wrong, trial.refusal) == ("converted to aac", [], "")


def test_dts_is_kept_in_mpegts(folder: Path) -> None:
    path, source = made("ts-libx264-dca", folder)
    trial = MATRIX.attempt(path, source, ".ts", folder, "none")
    assert (trial.audio, trial.wrong, trial.refusal) == ("kept", [], "")


@pytest.mark.parametrize("ending", [".mkv", ".ts"])
def test_subtitles_that_step_back_by_a_tick_are_kept(folder: Path, tmp_path: Path, ending: str) -> None:
    path, _ = made("ts-libx264-ac3-dvbsub", folder)
    stcodec.encode(path, tmp_path / f"out{ending}", options=PLAIN)
    sizes = []
    for one in (path, tmp_path / f"out{ending}"):
        with av.open(str(one)) as container:
            sizes.append([packet.size for packet in container.demux(subtitles=0) if packet.size])
    assert len(sizes[0]) == 2
    assert sizes[1] == pytest.approx(sizes[0], abs=3)  # MPEG-TS puts a header around those that have none


def test_a_subtitle_without_an_end_does_not_make_the_file_longer(folder: Path, tmp_path: Path) -> None:
    path, _ = made("mkv-mpeg2video-ac3-dvdsub", folder)
    with av.open(str(path)) as container:
        assert (container.duration or 0) > 4e12, "libavcodec gives it 2^32 - 1 ms"
    with VideoReader(path) as reader:
        assert reader.info.duration_seconds == pytest.approx(0.4, abs=0.05)
    stcodec.encode(path, tmp_path / "out.mkv", options=PLAIN)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.duration == pytest.approx(0.4e6, abs=0.1e6)
        assert sum(1 for packet in container.demux(subtitles=0) if packet.size) == 1


def test_what_is_lost_on_the_way_is_said(folder: Path, tmp_path: Path) -> None:
    path, _ = made("mkv-libx264-aac-srt", folder)
    cues = tmp_path / "cues.srt"
    cues.write_text("1\n00:00:00,080 --> 00:00:00,320\nlong\n\n2\n00:00:00,160 --> 00:00:00,240\nwithin\n")
    source = tmp_path / "overlapping.mkv"
    run_ffmpeg("-i", path, "-i", cues, "-map", "0:v", "-map", "1:s", "-c", "copy", source)
    said = {}
    for ending in (".mp4", ".mkv"):
        report = stcodec.encode(source, tmp_path / f"out{ending}", options=PLAIN)
        said[ending] = [one for one in report.messages if "overlap" in one]
    assert [len(one) for one in said.values()] == [1, 0]
    assert said[".mp4"][0].startswith("1 cues of subtitle stream 1 overlap")
