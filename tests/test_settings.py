"""Options from files and presets: which wins, what they may set, and what is said of a wrong one."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import run

from stcodec.cli.command import parsers
from stcodec.cli.settings import ALSO_FROM_FOLDER, ONLY_EXPLICIT, PRESETS, options_of
from stcodec.cli.values import seconds

Capture = pytest.CaptureFixture[str]
Show = Callable[..., dict[str, Any]]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, in a configuration folder of the test's own; the working folder is `tmp_path`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home" / "stcodec").mkdir(parents=True)
    return tmp_path / "home" / "stcodec" / "stcodec.toml"


@pytest.fixture
def show(own: Path, capfd: Capture) -> Show:
    def shown(*words: str) -> dict[str, Any]:
        done = run(capfd, "config", "show", "--json", *words)
        assert done.status == 0, done.err
        return {key: (one["value"], one["from"]) for key, one in json.loads(done.out).items()}

    return shown


def test_flag_over_file_over_preset_over_default(show: Show, own: Path, tmp_path: Path) -> None:
    own.write_text('crf = 31\nkeyint = 99\nuse = "mine"\n[presets.mine]\ncrf = 40\nlevels = 4\nkeyint = 7\nmatch-crf = 3\n')
    (tmp_path / "stcodec.toml").write_text("crf = 30\nfloor = 0.5\n[encode]\nfloor = 0.7\n[batch]\ncrf = 12\n")
    found = show("encode", "--strength", "0.4")
    assert found["strength"] == (0.4, "command line")
    assert found["crf"] == (30, "stcodec.toml")
    assert found["floor"] == (0.7, "stcodec.toml")
    assert found["keyint"] == (99, str(own))
    assert found["levels"] == (4, f"preset mine of {own}")
    assert found["encoder"] == ("libx264", "default")
    assert show("batch")["crf"] == (12, "stcodec.toml")
    assert show("verify")["floor"] == (0.5, "stcodec.toml")
    assert show("encode", "--use", "archive")["encoder"] == ("libx265", "preset archive")


def test_with_config_no_other_file_is_read(show: Show, own: Path, tmp_path: Path) -> None:
    own.write_text("keyint = 99\n")
    (tmp_path / "house.toml").write_text("crf = 5\n")
    found = show("encode", "--config", "house.toml")
    assert (found["crf"], found["keyint"]) == ((5, "house.toml"), (None, "default"))


def test_what_excludes_each_other_is_decided_by_who_wins(show: Show, own: Path) -> None:
    own.write_text("crf = 31\n")
    assert show("encode", "--bitrate", "2M")["crf"] == (None, "default")
    assert show("evaluate", "--use", "evaluate-quick", "--scale", "0.25")["half"] == (False, "default")


@pytest.mark.usefixtures("own")
def test_an_encode_takes_them_and_says_so(capfd: Capture, video: Path, tmp_path: Path) -> None:
    (tmp_path / "stcodec.toml").write_text('[encode]\ncrf = 37\nencoder = "libx265"\n')
    done = run(capfd, "encode", video, tmp_path / "out.mp4", "--dry-run", "--preset", "ultrafast")
    assert done.status == 0, done.err
    assert "stcodec.toml sets crf = 37, encoder = libx265" in done.err
    assert "libx265" in done.out and "crf=37" in done.out


OF_PACKAGE = tomllib.loads(PRESETS.read_text())


@pytest.mark.parametrize("name", list(OF_PACKAGE))
def test_presets_hold_what_commands_take(show: Show, name: str) -> None:
    """Each sets something for the commands it is for; a wrong name or value would be an error."""
    of_preset = {command for command in ("encode", "batch", "stream", "evaluate") if OF_PACKAGE[name].get(command)}
    for command in of_preset:
        assert any(origin == f"preset {name}" for _, origin in show(command, "--use", name).values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crff = 3", "crff: there is no such option; the nearest is crf"),
        ("[encode]\nmax-latency = '1s'", r"\[encode\] max-latency: there is no such option"),
        ("[encod]\ncrf = 3", r"\[encod\]: there is no such command; the nearest is encode"),
        ("crf = 'x'", "crf = 'x' is no such value"),
        ("policy = 'bold'", "policy = 'bold': allowed are"),
        ("two-pass = 'yes'", "two-pass = 'yes': allowed are true and false"),
        ("crf = [1, 2]", "crf: one value is allowed, not a list"),
        ("bitrate = '2 Mbit'", "'2 Mbit' is no bitrate"),
        ("use = 'webb'", "preset 'webb': there is none of that name; the nearest is web"),
        ("[presets.a]\ncrff = 1", "preset a of .*crff: there is no such option"),
        ("presets = 3", r"write a table for each, \[presets.NAME\]"),
        ("crf = ", "is no TOML"),
    ],
)
def test_what_is_wrong_is_said(capfd: Capture, own: Path, text: str, said: str) -> None:
    own.write_text(text)
    done = run(capfd, "config", "show", "encode")
    assert done.status == 2
    assert done.out == ""
    assert re.search(said, done.err), done.err


@pytest.mark.parametrize("key", sorted(ONLY_EXPLICIT))
def test_no_file_that_is_found_may_set_it(capfd: Capture, own: Path, tmp_path: Path, key: str) -> None:
    command = "stream" if key in ("allow-origin", "dashboard", "metrics", "serve", "token-file") else "batch"
    value = "true" if key in ("allow-playlists", "overwrite", "replace") else "'x'"
    text = f"[{command}]\n{key} = {value}\n"
    for place in (own, tmp_path / "stcodec.toml"):
        place.write_text(text)
        done = run(capfd, "config", "show", command)
        assert (done.status, done.out) == (2, "")
        assert f"{key}: is taken from the command line, or from a file that --config names, only" in done.err
        place.unlink()
    (tmp_path / "named.toml").write_text(text)
    assert run(capfd, "config", "show", command, "--config", "named.toml").status == 0


@pytest.mark.parametrize(
    "line", ["opt = ['stats=/x']", "vf = 'movie=x'", "attention = 'onnx:x.onnx'", "attention = '0.5*motion+0.5*map:x'",
             "attention = 'faces'", "max-streams = 9999", "use = 'a'\n[presets.a]\nreport = 'x'"],
)  # fmt: skip
def test_a_file_of_the_working_folder_names_no_files(capfd: Capture, own: Path, tmp_path: Path, line: str) -> None:
    (tmp_path / "stcodec.toml").write_text(line)
    done = run(capfd, "config", "show", "encode")
    assert (done.status, done.out) == (2, "")
    assert "a file found in the working folder may not set it" in done.err
    own.write_text(line)
    (tmp_path / "stcodec.toml").unlink()
    assert run(capfd, "config", "show", "encode").status == 0


def test_sources_of_the_package_may_be_named(show: Show, tmp_path: Path) -> None:
    for source in ("none", "neural:causal,window=0.5", "0.7*motion+0.3*center"):
        (tmp_path / "stcodec.toml").write_text(f"attention = '{source}'")
        assert show("encode")["attention"] == (source, "stcodec.toml")


def test_lists_of_names_are_names_of_options() -> None:
    known = {key for command in parsers()[1].values() for key in options_of(command)}
    assert known >= ONLY_EXPLICIT | ALSO_FROM_FOLDER


@pytest.mark.usefixtures("own")
def test_a_batch_remembers_what_was_resolved(capfd: Capture, video: Path, tmp_path: Path) -> None:
    """With the same options said in another way nothing is made again; with others the file in the folder counts."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(video.read_bytes())
    (tmp_path / "stcodec.toml").write_text("crf = 40\nattention = 'center'\npreset = 'ultrafast'\n")
    assert run(capfd, "batch", "videos", "encoded").status == 0
    made = (tmp_path / "encoded" / "a.mp4").stat().st_mtime_ns
    (tmp_path / "stcodec.toml").unlink()
    same = ("--crf", "40", "--attention", "center", "--preset", "ultrafast")
    assert run(capfd, "batch", "retry", "videos", "encoded", *same).status == 0
    assert (tmp_path / "encoded" / "a.mp4").stat().st_mtime_ns == made
    assert run(capfd, "batch", "retry", "videos", "encoded", "--crf", "41").status == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("90", 90),
        (".5", 0.5),
        ("90.5s", 90.5),
        ("500ms", 0.5),
        ("10m", 600),
        ("1h", 3600),
        ("1:30", 90),
        ("01:00:01.5", 3601.5),
    ],
)
def test_times_are_read_as_ffmpeg_reads_them(text: str, found: float) -> None:
    assert seconds(text) == pytest.approx(found)


@pytest.mark.parametrize("text", ["soon", "", "1:30s", "1:2:3:4", "-1", "1d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        seconds(text)
