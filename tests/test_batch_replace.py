"""`stcodec batch --replace`, `--on-done` and `--watch`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import command
import media
import pytest
from batches import FRAMES, QUICK, files, jobs, make_folder, start, states
from command import ENVIRONMENT, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def large_video(path: Path) -> None:
    """One that any encode makes smaller."""
    media.make_video(path, size=(64, 48), frames=FRAMES, options={"preset": "ultrafast", "qp": "4"})


REPLACE = ("batch", "in", "--replace", "--min-saving", "20", *QUICK, "--crf", "30")


def test_an_original_is_replaced_only_by_what_is_smaller_and_whole(capfd: Capture, folder: Path) -> None:
    (folder / "in" / "sub").mkdir(parents=True)
    for name in ("same.mp4", "sub/other.avi", "linked.mp4"):
        large_video(folder / "in" / name)
    media.make_video(folder / "in" / "small.mp4", size=(64, 48), frames=FRAMES, options={"preset": "veryslow", "crf": "45"})
    (folder / "in" / "bad.mp4").write_bytes(b"no video")
    (folder / "in" / "same.mp4").chmod(0o600)
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder / "in" / "same.mp4", owner, -1)
    os.utime(folder / "in" / "same.mp4", (10**9, 10**9))
    (folder / "in" / "link.mp4").symlink_to("same.mp4")
    (folder / "in" / "hard.mp4").hardlink_to(folder / "in" / "linked.mp4")
    before = command.snapshot(folder / "in")
    done = run(capfd, *REPLACE)
    assert done.status == 3 and "5 videos" not in done.out
    assert "kept: " in done.err and "less than 20 % saved" in done.err
    assert "skipped: link.mp4: a link" in done.err and "skipped: hard.mp4: has other names" in done.err
    after = command.snapshot(folder / "in")
    assert states(folder / "in") == {
        "same.mp4": "done", "sub/other.mkv": "done", "small.mp4": "kept", "bad.mp4": "failed",
    }  # fmt: skip
    assert {"small.mp4", "bad.mp4", "linked.mp4", "hard.mp4"} <= {name for name in before if before[name] == after.get(name)}
    assert files(folder / "in") == {*before} - {"sub/other.avi"} | {"sub/other.mkv"}
    for name in ("same.mp4", "sub/other.mkv"):
        assert len(media.frames_of(folder / "in" / name)) == FRAMES
    assert len(after["same.mp4"][1]) < 0.8 * len(before["same.mp4"][1])
    status = (folder / "in" / "same.mp4").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_mtime) == (0o600, owner, 10**9)
    # Once more: nothing is encoded a second time.
    done = run(capfd, *REPLACE, "-y")
    assert done.status == 3 and "2 done, 1 kept as they were, 1 failed" in done.out
    assert {name: after[name] for name in files(folder / "in")} == {
        name: content for name, content in command.snapshot(folder / "in").items() if not name.startswith(".")
    }


@pytest.mark.parametrize("after", [False, True])
def test_killed_while_a_video_is_replaced(capfd: Capture, folder: Path, after: bool) -> None:
    (folder / "in").mkdir()
    large_video(folder / "in" / "a.avi")
    (folder / "crash.py").write_text(
        "import os, signal, sys\nfrom stcodec.batch import outputs\nfrom stcodec.cli import main\nput = outputs.put\n"
        "def crash(*arguments, **options):\n"
        + ("    put(*arguments, **options)\n" if after else "")
        + "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "outputs.put = crash\nif __name__ == '__main__':\n    main(sys.argv[1:])\n"
    )
    done = subprocess.run([sys.executable, "crash.py", *REPLACE], env=ENVIRONMENT, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert files(folder / "in") == {"a.avi"} | ({"a.mkv"} if after else set())
    before = files(folder / "in")
    assert run(capfd, *REPLACE, "--dry-run", "-q").status == 0 and files(folder / "in") == before
    assert run(capfd, *REPLACE, "-q").status == 0
    assert files(folder / "in") == {"a.mkv"} and states(folder / "in") == {"a.mkv": "done"}
    assert jobs(folder / "in")["a.mkv"]["attempts"] == (1 if after else 2)
    assert len(media.frames_of(folder / "in" / "a.mkv")) == FRAMES


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("in", "--replace", "--keep-partial"), "--keep-partial lets through is not sure enough"),
        (("in", "--replace", "--no-verify"), "--no-verify lets through is not sure enough"),
        (("in", "out", "--replace"), "leave OUT away"),
        (("in",), "give an output folder"),
        (("in", "--replace", "--min-saving", "100"), "--min-saving is 100: allowed is 0 to below 100 %"),
        (("in", "out", "--on-done", "no-such-program x"), "there is no program of that name"),
        (("in", "out", "--on-done", "'"), "No closing quotation"),
        (("in", "out", "--watch", "0"), "--watch is 0: allowed is 0.1 to 86400 seconds"),
    ],
)
def test_refused(capfd: Capture, folder: Path, flags: tuple[str, ...], words: str) -> None:
    make_folder(folder / "in", "a.mp4")
    command.assert_refused(capfd, folder, 2, words, "batch", *flags)


def test_a_command_for_every_finished_file(capfd: Capture, folder: Path) -> None:
    names = ("a b.mp4", "$(touch x);`touch x`.mp4", "-n.mp4")
    make_folder(folder / "in", *names)
    script = folder / "hook.py"
    script.write_text(
        "import os, sys\nassert sys.argv[1] == 'an argument' and sys.argv[2] == os.environ['STCODEC_OUTPUT']\n"
        "print('on stdout')\nopen('told', 'a').write(sys.argv[2] + '\\n')\nsys.exit(os.path.exists('broken') and 7)\n"
    )
    hook = ("--on-done", shlex.join([sys.executable, str(script), "an argument"]))
    done = run(capfd, "batch", "in", "out", *QUICK, *hook, "--json")
    assert done.status == 0 and "on stdout" in done.err and "on stdout" not in done.out
    told = sorted(Path("told").read_text().splitlines())
    assert told == sorted(str(folder / "out" / name) for name in names) and not Path("x").exists()
    Path("broken").touch()
    make_folder(folder / "in", "c.mp4")
    done = run(capfd, "batch", "in", "out", *QUICK, *hook)
    assert done.status == 3 and "--on-done failed: c.mp4: ended with status 7" in done.err
    Path("broken").unlink()
    assert run(capfd, "batch", "retry", "in", "out", *QUICK, *hook, "-q").status == 0
    told = Path("told").read_text().splitlines()
    assert sorted(told) == sorted(str(folder / "out" / name) for name in (*names, "c.mp4", "c.mp4"))


def test_new_files_are_taken_once_they_stop_growing(folder: Path) -> None:
    make_folder(folder / "in", "first.mp4")
    whole = media.make_video(folder / "whole.mkv", size=(64, 48), frames=FRAMES).read_bytes()
    with start(folder, "in", "out", *QUICK, "--watch", "1") as process:
        growing = folder / "in" / "growing.mkv"
        with growing.open("wb", buffering=0) as file:
            for place in range(0, len(whole), len(whole) // 40 + 1):  # far more often than the run looks
                file.write(whole[place : place + len(whole) // 40 + 1])
                time.sleep(0.04)
                assert "growing.mkv" not in files(folder / "out") if (folder / "out").exists() else True
        until = time.monotonic() + 120
        while files(folder / "out") != {"first.mp4", "growing.mkv"} and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert '"done": 2' in out.splitlines()[-1]
    assert {name: job["attempts"] for name, job in jobs(folder / "out").items()} == {"first.mp4": 1, "growing.mkv": 1}
    assert len(media.frames_of(folder / "out" / "growing.mkv")) == FRAMES
