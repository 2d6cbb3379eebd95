"""`stcodec inspect` from end to end: findings as text and JSON, gaze, encodes, two sources, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command
import media
import numpy as np
import pytest
import viewers
from inspected import CUT, FLICKERS, FPS, FRAMES, LAG_SECONDS, blob, make_inspected
from PIL import Image
from test_onnx import mean_of_colours, save_model

import stcodec
from stcodec.diagnose import InspectOptions, InspectReport, inspect
from stcodec.diagnose.faults import Finding

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A video of 3 s and maps of it with planted faults."""
    return make_inspected(tmp_path_factory.mktemp("inspected"))


@pytest.fixture
def folder(tmp_path: Path, pair: tuple[Path, Path]) -> Path:
    """The video, its maps, and files that are neither."""
    (tmp_path / "video.mp4").symlink_to(pair[0])
    (tmp_path / "maps.mkv").symlink_to(pair[1])
    (tmp_path / "text.mp4").write_text("no video\n" * 20)
    return tmp_path


def findings(report: InspectReport, fault: str, subject: int = 0) -> list[Finding]:
    one = report.subjects[subject]
    return [finding for finding in (*one.ranked, *one.findings) if finding.fault == fault]


def measure(report: InspectReport, name: str) -> list[float]:
    values: list[float] = report.subjects[0].series[name]
    return values


# What is printed


def test_findings_are_printed_with_their_times(capfd: Capture, folder: Path) -> None:
    done = command.run(capfd, "inspect", folder / "video.mp4", "--attention", f"map:{folder / 'maps.mkv'}")
    assert done.status == 0
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [line[1] for line in lines] == ["Flicker", "Lag after a sudden change"]
    assert lines[1][0] == f"{CUT / FPS:.2f}-{CUT / FPS + LAG_SECONDS:.2f} s"
    assert f"15 maps of {FRAMES} frames in 2 shots: 2 findings" in done.err


def test_json_has_findings_measures_and_rules(capfd: Capture, folder: Path) -> None:
    done = command.run(capfd, "inspect", folder / "video.mp4", "--attention", f"map:{folder / 'maps.mkv'}", "--json")
    assert done.err == ""
    events = [json.loads(line) for line in done.out.splitlines()]
    report: dict[str, Any] = events[-1]
    assert (report["event"], report["schema"], report["frames"]) == ("report", 1, FRAMES)
    subject = report["subjects"][0]
    flicker, lag = subject["findings"]
    assert flicker["fault"] == "flicker"
    assert FLICKERS[0] <= flicker["start_seconds"] <= flicker["worst_seconds"] <= flicker["end_seconds"] <= FLICKERS[1]
    assert lag["value"] == pytest.approx(LAG_SECONDS, abs=0.01)
    assert all(len(values) == 15 for values in subject["series"].values())
    assert subject["series"]["change_percent"][CUT // 5] is None  # across a cut nothing is compared
    assert subject["measures"]["flicker_percent"]["highest"] == pytest.approx(flicker["value"], abs=0.01)
    rules = {fault["name"]: fault for fault in report["faults"]}
    assert {"drift", "flicker", "diffusion", "background", "camera", "lag", "dead", "centre"} == set(rules)
    assert all(rule["hint"] and rule["definition"] and rule["unit"] for rule in rules.values())


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    video = media.make_video(tmp_path / "one.mp4", frames=1)
    options = InspectOptions(attention="center", encode=video, report=tmp_path / "a.html", video=tmp_path / "b.mp4")
    report = inspect(video, options)
    assert (report.instants, report.subjects[0].findings) == (1, ())
    assert len(media.frames_of(tmp_path / "b.mp4")) == 1


def test_smoothing_takes_the_flicker_away(folder: Path) -> None:
    options = InspectOptions(attention=f"map:{folder / 'maps.mkv'}", smoothing_seconds=1.0)
    assert findings(inspect(folder / "video.mp4", options), "flicker") == []


def test_anybodys_model(video: Path, tmp_path: Path) -> None:
    """One that takes brightness for importance."""
    model = save_model(tmp_path / "model.onnx", mean_of_colours(), shape=(1, 3, 18, 32))
    report = inspect(video, InspectOptions(attention=f"onnx:{model}", report=tmp_path / "page.html"))
    assert report.subjects[0].attention == f"onnx:{model}"
    assert min(measure(report, "area_percent")) > 30  # the picture's own brightness spreads widely
    assert max(measure(report, "level")) < 1


# The network, from the inside


def test_the_network_shows_its_branches(video: Path, tmp_path: Path) -> None:
    report = inspect(video, InspectOptions(attention="neural:device=cpu", report=tmp_path / "page.html"))
    shares = measure(report, "temporal_percent")
    assert all(0 <= share <= 100 for share in shares)
    assert max(shares) > 1
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    tokens = data["subjects"][0]["tokens"]
    assert len(tokens) == len(data["stills"]) == report.instants
    for token in tokens:
        rows, cols = token["shape"]
        assert max(token["index"]) < rows * cols
        assert np.sum(token["profile"], axis=1) == pytest.approx(1, abs=0.01)
        assert 0.0 in token["when"]
    assert {layer["name"] for layer in json.loads(page.split('id="layers">')[1].split("</script>")[0])} == {
        "map",
        "spatial",
        "temporal",
        "offsets",
    }


# Gaze


def test_gaze_elsewhere_comes_worst_first(folder: Path) -> None:
    """They look at the map's hill, and in the second third of the video away from it."""
    hill, away, late = (0.3 * 320, 0.25 * 320), (290.0, 20.0), (0.75 * 320, 0.3 * 320)
    gaze = viewers.make_gaze(folder / "gaze.csv", [hill, away, late], seconds=3)
    report = inspect(folder / "video.mp4", InspectOptions(attention=f"map:{folder / 'maps.mkv'}", gaze=gaze))
    found = findings(report, "gaze")
    assert [one.value for one in found] == sorted(one.value for one in found)
    assert 1 <= found[0].worst_seconds < 2
    assert found[0].place is not None
    assert (found[0].place.x_widths, found[0].place.y_widths) == pytest.approx((290 / 320, 20 / 320), abs=0.02)
    scores = dict(zip(measure(report, "seconds"), measure(report, "nss"), strict=True))
    assert np.isnan(scores[0.0])  # the first fixation is where the screen's centre was
    assert scores[0.4] > 2
    assert scores[1.6] < 0
    assert scores[2.8] > 2


# An encode


@pytest.fixture(scope="module")
def still_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one picture."""
    folder = tmp_path_factory.mktemp("still")
    video = media.make_video(folder / "short.mp4", frames=1, options={"crf": "10"})
    looped = ("-vf", "loop=loop=-1:size=1,trim=end_frame=50,setpts=N/25/TB", "-r", "25", "-an", "-crf", "12")
    media.run_ffmpeg("-i", video, *looped, folder / "still.mp4")
    return folder / "still.mp4"


def seen_on(video: Path, encode: Path, attention: str) -> InspectReport:
    return inspect(video, InspectOptions(attention=attention, encode=encode))


def test_an_artefact_that_draws_the_eye_is_found(still_video: Path, tmp_path: Path) -> None:
    square = "between(X,240+mod(N\\,6)*8,270+mod(N\\,6)*8)*between(Y,20,60)"
    drawn = f"geq=lum='if({square},235,lum(X,Y))':cb='cb(X,Y)':cr='cr(X,Y)'"
    media.run_ffmpeg("-i", still_video, "-vf", drawn, "-crf", "20", tmp_path / "artefact.mp4")
    media.run_ffmpeg("-i", still_video, "-crf", "20", tmp_path / "clean.mp4")
    found = findings(seen_on(still_video, tmp_path / "artefact.mp4", "motion"), "moved")
    assert found
    place = found[0].place
    assert place is not None
    assert place.x_widths > 0.7
    assert place.y_widths < 0.25
    assert findings(seen_on(still_video, tmp_path / "clean.mp4", "motion"), "moved") == []


def test_qp_in_the_encode_follows_the_map(video: Path, tmp_path: Path) -> None:
    Image.fromarray((255 * blob(0.3, 0.25)).astype(np.uint8)).save(tmp_path / "map.png")
    source = f"map:{tmp_path / 'map.png'}"
    options: dict[str, Any] = {"crf": 30, "preset": "ultrafast"}  # which has no adaptive QP of its own
    stcodec.encode(video, tmp_path / "guided.mp4", attention=source, policy="strong", anchor="attended", **options)
    stcodec.encode(video, tmp_path / "plain.mp4", attention="none", **options)
    guided = seen_on(video, tmp_path / "guided.mp4", source)
    assert max(measure(guided, "qp_follows")) > 0.9  # key frames; skipped blocks of others take their neighbour's QP
    assert min(measure(guided, "qp_follows")) > 0.2
    assert max(np.abs(measure(guided, "moved_percent"))) == 0
    assert any("does not look at pictures" in note for note in guided.notes)
    assert max(np.abs(measure(seen_on(video, tmp_path / "plain.mp4", source), "qp_follows"))) < 0.2


def test_files_that_tell_no_qp_are_said(video: Path, tmp_path: Path) -> None:
    media.run_ffmpeg("-i", video, "-c:v", "libx265", "-preset", "ultrafast", "-crf", "30", tmp_path / "coded.mp4")
    report = inspect(video, InspectOptions(attention="center", encode=tmp_path / "coded.mp4", report=tmp_path / "page.html"))
    assert any("tells no QP" in note for note in report.notes)
    assert (tmp_path / "page.html").stat().st_size > 10_000


# Two sources


def test_two_sources_differ_most_first(folder: Path) -> None:
    Image.fromarray((255 * blob(0.3, 0.25)).astype(np.uint8)).save(folder / "map.png")
    options = InspectOptions(
        attention=f"map:{folder / 'maps.mkv'}", against=f"map:{folder / 'map.png'}", report=folder / "page.html"
    )
    report = inspect(folder / "video.mp4", options)
    found = findings(report, "difference")
    assert [one.value for one in found] == sorted((one.value for one in found), reverse=True)
    assert found[0].worst_seconds >= CUT / FPS + LAG_SECONDS  # there the maps lie apart for good, and most
    assert found[0].value > 60
    assert [one.attention for one in report.subjects] == [options.attention, options.against]
    assert findings(report, "flicker", 1) == []


# Bad input


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("no.mp4",), 1, r"no\.mp4: no such file"),
        (("text.mp4",), 1, r"text\.mp4: "),
        (("video.mp4", "--attention", "none"), 2, "attention none has no maps to look at: give a source"),
        (("video.mp4", "--attention", "nonsense"), 2, "'nonsense' is no source of attention"),
        (("video.mp4", "--attention", "map:no.mkv"), 1, r"no\.mkv: no such file"),
        (("video.mp4", "--attention", "no.safetensors"), 1, r"no\.safetensors: no such file"),
        (("video.mp4", "--smoothing", "-1"), 2, "smoothing_seconds is -1: allowed is 0 to 10"),
        (("video.mp4", "--report", "page.txt"), 2, r"page\.txt: the report is a page: give a name that ends in \.html"),
        (("video.mp4", "--report", "no/page.html"), 1, "the folder no does not exist; make it first"),
        (("video.mp4", "--report", "there.html"), 1, r"there\.html: exists already; -y replaces it"),
        (("video.mp4", "--video", "video.mp4", "-y"), 1, "output and input are the same file"),
        (("video.mp4", "--video", "video.avi"), 2, r"video\.avi: give a name that ends in \.mp4"),
        (("video.mp4", "--style", "loud"), 2, "invalid choice: 'loud'"),
        (("video.mp4", "--compare", "center"), 2, "expected 2 arguments"),
        (("video.mp4", "--compare", "center", "motion", "--attention", "center"), 2, "not allowed with"),
        (("video.mp4", "--compare", "center", "none"), 2, "attention none has no maps"),
        (("video.mp4", "--compare", "center", "motion", "--encode", "video.mp4"), 2, "--compare and --encode exclude each"),
        (("video.mp4", "--encode", "no.mp4"), 1, r"no\.mp4: no such file"),
        (("video.mp4", "--encode", "short.mp4"), 1, r"short\.mp4: lasts 0\.40 s, the video 3\.00 s: it is no encode"),
        (("video.mp4", "--encode", "square.mp4"), 1, r"square\.mp4: is 96x96, the video 320x180: it is no encode"),
        (("video.mp4", "--gaze", "text.mp4"), 1, r"text\.mp4: line 1: the header lacks observer"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    capfd: Capture,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "there.html").write_text("mine")
    for name, size in (("short.mp4", (320, 180)), ("square.mp4", (96, 96))):
        if name in arguments:
            media.make_video(folder / name, size=size, frames=10)
    source = () if {"--attention", "--compare"} & set(arguments) else ("--attention", "center")
    command.assert_refused(capfd, folder, status, words, "inspect", *arguments, *source)


def test_nothing_is_left_when_the_video_is_damaged(capfd: Capture, folder: Path) -> None:
    media.make_truncated_video(folder / "cut.mkv", frames=60)
    arguments = ("inspect", folder / "cut.mkv", "--attention", "center", "--report", folder / "page.html", "-q")
    command.assert_refused(capfd, folder, 1, "damaged.*--keep-partial", *arguments)
    assert command.run(capfd, *arguments, "--keep-partial").status == 0
    assert (folder / "page.html").exists()
