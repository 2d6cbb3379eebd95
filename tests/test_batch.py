"""`stcodec batch`: which files are taken, what they are called, what is said of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import command
import media
import pytest
from batches import FRAMES, QUICK, files, jobs, make_folder
from command import run

from stcodec.media.paths import display_name

Capture = pytest.CaptureFixture[str]
BATCH = ("batch", "in", "out", *QUICK)
AWKWARD = ("plain.mp4", "with space.mkv", "a/new\nline.mp4", "a/b/😀.mp4", os.fsdecode(b"a/caf\xe9.mp4"), "-y.mp4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_tree_with_a_bad_file_and_awkward_names(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", *AWKWARD)
    for name, content in (("a/bad.mp4", b"no video"), ("notes.txt", b"x"), ("code.ts", b"import x"), (".hidden.mp4", b"x")):
        (folder / "in" / name).write_bytes(content)
    (folder / "in" / "a" / "circle").symlink_to(folder / "in")
    (folder / "in" / "nowhere.mp4").symlink_to("gone.mp4")
    done = run(capfd, *BATCH, "--json")
    assert done.status == 3
    assert files(folder / "out") == set(AWKWARD)
    for name in AWKWARD:
        assert len(media.frames_of(folder / "out" / name)) == FRAMES
    for line in (
        "notes.txt: not a video",
        "code.ts: not a video",
        "a/circle: leads to a folder",
        "nowhere.mp4: a link that",
    ):
        assert f"skipped: {line}" in done.err
    assert "Traceback" not in done.err and ".hidden" not in done.err
    summary = json.loads(done.out.splitlines()[-1])
    assert (summary["files"], summary["done"], summary["failed"], summary["skipped"]) == (7, 6, 1, 4)
    assert summary["bytes_after"] == sum((folder / "out" / name).stat().st_size for name in AWKWARD)
    assert summary["bytes_before"] == sum((folder / "in" / name).stat().st_size for name in AWKWARD)
    assert summary["video_hours"] == pytest.approx(len(AWKWARD) * FRAMES / 25 / 3600)
    at_work = {one["what"] for one in map(json.loads, done.out.splitlines()) if one["event"] == "progress"}
    assert {f"{display_name(name)}: encoding" for name in AWKWARD} <= at_work
    assert [one["error"] for one in summary["failures"]] == [
        "not a media file that can be opened (Invalid data found when processing input)"
    ]
    assert run(capfd, "batch", "status", "out", "--json").out.splitlines()[-1] == json.dumps(
        {**summary, "event": "summary", "skipped": 0}
    )
    make_folder(folder / "in", "a/good.mp4")
    shutil.move("in/a/good.mp4", "in/a/bad.mp4")
    before = command.snapshot(folder / "out")
    done = run(capfd, "batch", "retry", *BATCH[1:])
    assert done.status == 0 and "7 videos: 7 done" in done.out
    assert {name: before[name] for name in AWKWARD}.items() <= command.snapshot(folder / "out").items()


def test_videos_are_known_by_their_content(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mp4", "b.avi", "c.mkv")
    for name, other in (("a.mp4", "phone.3gp"), ("b.avi", "old.divx"), ("c.mkv", "no ending")):
        (folder / "in" / name).rename(folder / "in" / other)
    media.make_video(folder / "in" / "still.mp4", size=(64, 48), frames=1)
    media.run_ffmpeg("-i", "in/still.mp4", "-frames:v", "1", "-update", "1", "in/still.png")
    (folder / "in" / "still.mp4").unlink()
    (folder / "in" / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder}/in/phone.3gp\n#EXT-X-ENDLIST\n")
    (folder / "in" / "list.txt").write_text("ffconcat version 1.0\nfile phone.3gp\n")
    (folder / "in" / "sound.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    done = run(capfd, *BATCH)
    assert done.status == 0 and "3 videos: 3 done; 4 other files passed over" in done.out, done
    assert files(folder / "out") == {"phone.mkv", "old.mkv", "no ending.mkv"}


def test_the_table_says_how_a_file_was_made(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mp4")
    assert run(capfd, *BATCH, "--crf", "31").status == 0
    job = jobs(folder / "out")["a.mp4"]
    assert (job["state"], job["attempts"], job["frames"], job["error"]) == ("done", 1, FRAMES, None)
    assert (job["source_bytes"], job["output_bytes"]) == tuple(Path(name, "a.mp4").stat().st_size for name in ("in", "out"))
    assert 0 < job["wall_seconds"] < 60
    with sqlite3.connect("out/.stcodec-batch/jobs.sqlite") as base:
        texts = dict(base.execute("SELECT id, text FROM texts"))
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    base.close()
    assert json.loads(texts[job["options"]])["encode"]["crf"] == 31
    assert {"stcodec", "ffmpeg", "python"} <= json.loads(texts[job["versions"]]).keys()


def test_patterns_and_names(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mp4", "b.avi", "keep/c.mp4", "drop/d.mp4", "keep/e.data.mkv")
    chosen = ("--include", "*.mp4", "--include", "b.avi", "--exclude", "drop", "--template", "{stem}.{encoder}.{ext}")
    assert run(capfd, *BATCH, *chosen, "-q").status == 0
    assert files(folder / "out") == {"a.libx264.mp4", "b.libx264.mkv", "keep/c.libx264.mp4"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("in", "out", "--template", "{name}.mp4"), 2, r"--template .*\{name\} is not known: allowed are \{stem\}, \{ext\}"),
        (("in", "out", "--template", "x.mp4"), 2, "all files would have one name"),
        (("in", "out", "--template", "a/{stem}.mp4"), 2, "folders stay those of the source"),
        (("in", "out", "--template", "{stem"), 2, "--template '{stem': expected '}'"),
        (("in", "out", "--jobs", "0"), 2, "--jobs is 0: allowed is 1 to 1024"),
        (("in", "in"), 2, "is the input and the output too"),
        (("gone", "out"), 1, "gone: no such file or folder"),
        (("in", "in/a.mp4"), 1, "can't be used as the output folder"),
        (("in", "out", "--attention", "nonsense"), 2, "is no source of attention"),
        (("status", "out"), 1, "no batch was run into this folder"),
        (("retry", "in", "out"), 1, "no batch was run into this folder"),
        (("retry", "out"), 2, "give IN, OUT and the flags of the last run, too"),
        (("in", "out", "more"), 2, "more: what is it for"),
    ],
)
def test_refused(capfd: Capture, folder: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "a.mp4").write_bytes(b"x")
    command.assert_refused(capfd, folder, status, words, "batch", *arguments)


def test_a_dry_run_writes_nothing(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mp4", "b.mp4")
    before = command.snapshot(folder)
    done = run(capfd, *BATCH, "--dry-run", "--json")
    assert command.snapshot(folder) == before and not (folder / "out").exists()
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [one["output"] for one in told if one["event"] == "planned"] == ["a.mp4", "b.mp4"]
    (estimate,) = (one for one in told if one["event"] == "estimate")
    assert run(capfd, *BATCH).status == 0
    made = sum(Path("out", name).stat().st_size for name in ("a.mp4", "b.mp4"))
    assert estimate["files"] == 2 and estimate["seconds"] > 0 and 0.5 < made / estimate["bytes_after"] < 2
    done = run(capfd, *BATCH, "--dry-run")
    assert "2 videos: 2 done" in done.out and "to be made: 0 files" in done.out


def test_one_output_name_for_two_inputs(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mkv", "a.avi")
    done = run(capfd, *BATCH)
    assert done.status == 3
    assert re.search(r"failed: .*a\.mkv: .*a\.avi has the same output a\.mkv: rename one", done.out)
    before = command.snapshot(folder / "out")["a.mkv"]
    (folder / "in" / "a.avi").unlink()
    done = run(capfd, *BATCH)
    assert done.status == 3 and "a.mkv exists already, and this batch did not make it; -y replaces it" in done.out
    assert command.snapshot(folder / "out")["a.mkv"] == before
    assert run(capfd, *BATCH, "-y").status == 0
    assert command.snapshot(folder / "out")["a.mkv"] != before
