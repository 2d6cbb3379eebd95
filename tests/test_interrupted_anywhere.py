"""An interrupt at every place where Python looks for one: one line, status 130, and nothing unfinished."""

from __future__ import annotations

import faulthandler
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import command
import media
import pytest
from interruption import Interruption, Place

from stcodec.cleanup import Unbroken, afterwards

Capture = pytest.CaptureFixture[str]
_FRAMES = 15
_STEP = 7
"""Of the places in files that have nothing to do with beginning and ending, one in so many."""
_ALL_OF = ("cleanup.py", "feed.py", "output.py", "decode.py", "mux.py", "threading.py", "interrupts.py", "stream.py")
_COMMAND = str(Path("stcodec", "cli", "__init__.py"))
"""Its `main` runs before signals are taken, too."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A film, the place where the command runs, and its folder for temporary files."""
    media.make_film(tmp_path / "in.mkv", size=(128, 64), frames=_FRAMES)
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    faulthandler.dump_traceback_later(240, exit=True)  # a lock that nobody gives back any more
    yield tmp_path
    faulthandler.cancel_dump_traceback_later()


def run(capfd: Capture, line: str, at: Place | None = None) -> tuple[Interruption, command.Outcome]:
    """The command, interrupted at a place."""
    for old in Path.cwd().glob("out.*"):
        old.unlink()
    interruption = Interruption(at)
    with interruption.tracing():
        outcome = command.run(capfd, *line.split())
    return interruption, outcome


def places(capfd: Capture, line: str) -> list[Place]:
    """Where to try it."""
    run(capfd, line)  # imports, and what is computed once
    found, outcome = run(capfd, line)
    assert outcome.status == 0, outcome.err
    thinned: Sequence[Place] = [one for one in found.places if Path(one[0]).name not in _ALL_OF]
    kept = {*thinned[::_STEP], *(one for one in found.places if Path(one[0]).name in _ALL_OF)}
    return [one for one in found.places if one in kept and not (one[0].endswith(_COMMAND) and one[1] == "main")]


def assert_whole_or_gone(folder: Path) -> None:
    assert list((folder / "tmp").iterdir()) == []
    left = {one.name for one in folder.iterdir()} - {"in.mkv", "tmp"}
    assert left <= {"out.mp4", "out.json"}
    if "out.mp4" in left:
        assert len(media.frames_of(folder / "out.mp4")) == _FRAMES


@pytest.mark.parametrize(("more", "step"), [("", 1), ("--match-crf 32", 10)], ids=["encode", "match"])
def test_encode(capfd: Capture, folder: Path, more: str, step: int) -> None:
    line = f"encode in.mkv out.mp4 --report out.json --attention center --preset ultrafast {more}"
    tried = places(capfd, line)[::step]
    assert len(tried) > (250 if step == 1 else 40)
    for place in tried:
        interruption, outcome = run(capfd, line, place)
        if interruption.has_come:  # the order of two threads decides whether some places are come to
            assert outcome.status == 130, (place, outcome.err)
            assert outcome.err.endswith("stcodec: interrupted; nothing unfinished was left behind\n"), place
            assert "Traceback" not in outcome.err, place
            assert "ignored" not in outcome.err, place
        assert_whole_or_gone(folder)


def test_stream(capfd: Capture, folder: Path) -> None:
    """Interrupted while it begins, runs or ends, a recording is ended properly."""
    line = "stream in.mkv out.mp4 --attention center --preset ultrafast --no-pace -q"
    tried = [one for one in places(capfd, line) if one[1].startswith(("LiveStream", "Unbroken", "run_stream"))]
    assert len(tried) > 25
    endings = 0
    for place in tried:
        before = set(threading.enumerate())
        interruption, outcome = run(capfd, line, place)
        assert outcome.status == (130 if interruption.has_come else 0), (place, outcome.err)
        assert "Traceback" not in outcome.err, place
        if interruption.has_come and place[1].startswith(("Unbroken.__call__", "LiveStream.wait", "LiveStream.snapshot")):
            new = [one.name for one in threading.enumerate() if one not in before]
            at_work = [name for name in new if name.startswith(("target", "encoder"))]
            assert at_work == [], place  # a program that ends takes its threads with it
            assert len(media.frames_of(folder / "out.mp4")) <= _FRAMES  # raises for a file that is not whole
            endings += 1
    assert endings > 5


def test_cleaned_up_in_spite_of_an_interrupt() -> None:
    """It comes in the middle of the clean-up, before it has got to what matters."""
    cleaned: list[str] = []

    def clean_up() -> None:
        cleaned.append("begun")
        if len(cleaned) == 1:
            raise KeyboardInterrupt
        cleaned.append("done")

    with pytest.raises(KeyboardInterrupt), afterwards(clean_up):
        pass
    assert cleaned == ["begun", "begun", "done"]


def test_done_once_and_waited_for() -> None:
    done: list[int] = []
    once = Unbroken(lambda: done.append(1))
    once()
    once()
    assert done == [1]


def test_fault_is_raised_to_each_who_waits() -> None:
    def fail() -> None:
        raise ValueError("no")

    once = Unbroken(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once()
