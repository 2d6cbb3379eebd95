"""Pair tests with people: what is shown, who is asked what, and what is made of the answers, hostile ones too."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import command
import media
import numpy as np
import pytest

from stcodec.errors import MediaError, OptionsError
from stcodec.evaluate import CompareOptions
from stcodec.viewing import PairTestOptions, judge, make_test
from stcodec.viewing.key import Key, read_key
from stcodec.viewing.statistics import wilson

SIZE = (96, 64)
PSNR = CompareOptions(metrics=("psnr",), jobs=1)

# --- making -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A reference and two encodes of it."""
    folder = tmp_path_factory.mktemp("viewing")
    reference = media.make_video(folder / "reference.mp4", size=SIZE, frames=60)
    return [reference, *encodes(reference, folder)]


def encodes(reference: Path, folder: Path, *coding: str) -> list[Path]:
    made = [folder / "one.mp4", folder / "two.mkv"]
    for path, crf in zip(made, ("24", "40"), strict=True):
        media.run_ffmpeg("-noautorotate", "-i", reference, "-c:v", "libx264", "-preset", "fast", *coding, "-crf", crf, path)
    return made


@pytest.fixture(scope="module")
def made(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = PairTestOptions(seconds=1, pairs=2)
    return make_test(files[0], files[1:], tmp_path_factory.mktemp("made") / "test", options=options, scored_by=PSNR)[
        0
    ].folder


def check_copies(folder: Path, files: list[Path], crop: Callable[[Any], Any] = lambda planes: planes) -> None:
    """Luma of every frame of every excerpt against that of the compared file, found by ffmpeg's own decoder."""
    key = read_key(folder / "key.json")
    assert len(key.files) >= 2
    for name, (excerpt, candidate) in key.files.items():
        facts = key.facts["excerpts"][excerpt]
        wanted = media.frames_of(files[1 + candidate])[facts["first_frame"] :][: facts["frames"]]
        shown = media.frames_of(folder / "for-viewers" / "clips" / f"{name}.mp4")
        assert len(shown) == facts["frames"]
        for one, other in zip(wanted, shown, strict=True):
            error = np.mean((crop(one).astype(float) - other.astype(float)) ** 2)
            assert error < 255**2 / 10**5  # 50 dB
        tags = media.streams_of(folder / "for-viewers" / "clips" / f"{name}.mp4")
        assert [stream["kind"] for stream in tags] == ["video"] and tags[0]["pix_fmt"] in ("yuv420p", "yuvj420p")


def test_excerpts_hold_the_very_pictures(made: Path, files: list[Path]) -> None:
    check_copies(made, files)


def test_scores_are_those_of_the_excerpt(made: Path, files: list[Path]) -> None:
    key = read_key(made / "key.json")
    for excerpt, row in enumerate(key.scores):
        facts = key.facts["excerpts"][excerpt]
        for candidate, scores in enumerate(row):
            one, other = (
                np.stack(media.frames_of(path)[facts["first_frame"] :][: facts["frames"]]).astype(float)
                for path in (files[0], files[1 + candidate])
            )
            assert scores["psnr-whole"] == pytest.approx(10 * math.log10(255**2 / np.mean((one - other) ** 2)), abs=1e-4)


def test_odd_turned_and_irregular_videos(tmp_path: Path) -> None:
    odd = media.make_video(tmp_path / "odd.mp4", size=(97, 65), pix_fmt="yuv444p", frames=30)
    shown = encodes(odd, tmp_path)
    folder = make_test(odd, shown, tmp_path / "a", options=PairTestOptions(seconds=1), scored_by=PSNR)[0].folder
    check_copies(folder, [odd, *shown], lambda luma: luma[:64, :96])

    turned = media.make_rotated_video(tmp_path / "turned.mp4", 90, size=SIZE, frames=30)
    test, _ = make_test(turned, [turned, turned], tmp_path / "b", options=PairTestOptions(seconds=1), scored_by=PSNR)
    text = test.page.read_text(encoding="utf-8")
    assert '"width":64,"height":96' in text
    assert "Display Matrix: rotation of -90" in media.ffmpeg_says(next((test.folder / "for-viewers" / "clips").iterdir()))

    irregular = media.make_vfr_video(tmp_path / "vfr.mp4", time_base=Fraction(1, 90000))
    test, _ = make_test(irregular, [irregular] * 2, tmp_path / "c", options=PairTestOptions(seconds=1), scored_by=PSNR)
    clip = next((test.folder / "for-viewers" / "clips").iterdir())
    key = read_key(test.key)
    first = key.facts["excerpts"][key.files[clip.stem][0]]["first_frame"]
    wanted, found = media.video_pts(irregular)[first:], media.video_pts(clip)
    assert [float(one) for one in found] == pytest.approx([float(one - wanted[0]) for one in wanted[: len(found)]], abs=1e-4)


def test_what_is_said_of_the_match(files: list[Path], tmp_path: Path) -> None:
    options = PairTestOptions(seconds=2, pairs=1)
    test, _ = make_test(files[0], files[1:], tmp_path / "a", options=options, scored_by=PSNR)
    assert "warning: matched neither in rate (within 3 %) nor in quality" in test.messages[0]
    test, _ = make_test(files[0], [files[1], files[1]], tmp_path / "b", options=options, scored_by=PSNR)
    assert "+0.0 % rate, +0.00 PSNR; matched in rate, PSNR" in test.messages[0]
    assert "excerpts last 2.0 s" in test.messages[1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("R", "A", "--ab", "new"), 2, "two files or more"),
        (("R", "A", "B", "--ab", "new", "--ab-seconds", "0.2"), 2, r"ab-seconds is 0\.2: allowed is 1 to 30"),
        (("R", "A", "B", "--ab", "new", "--ab-pairs", "0"), 2, "ab-pairs is 0: allowed is 1 to 100"),
        (("R", "A", "B", "--ab", "new", "--ab-show", "both"), 2, "ab-show is 'both': allowed are in-turn, side-by-side"),
        (("R", "A", "B", "--ab", "full"), 1, "full: is not empty; give a new folder"),
        (("R", "A", "B", "--ab", "full", "-y"), 1, "full: is not empty"),
        (("R", "A", "B", "--ab", "one.txt"), 1, "is a file"),
        (("R", "A", "B", "--ab", "missing/new"), 1, "the folder missing does not exist"),
        (("R", "A", "R", "--ab", "new", "--metrics", "nonsense"), 2, "'nonsense' is no metric"),
        (("R", "A", "HDR", "--ab", "new"), 1, "is HDR"),
        (("R", "A", "B", "--ab-pairs", "3"), 2, "--ab-pairs is for --ab DIR"),
        (("R", "A", "B", "--key", "key.json"), 2, "--key is for --ab-results"),
        (("R",), 2, "give REFERENCE and the files"),
        ((), 2, "give REFERENCE and the files"),
        (("R", "A", "--ab-results", "one.txt"), 2, "--ab-results judges answers alone"),
    ],
)
def test_what_can_not_be_made(
    arguments: tuple[str, ...],
    status: int,
    words: str,
    files: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    for path in (tmp_path / "one.txt", tmp_path / "full" / "key.json"):
        path.write_text("kept")
    names: dict[str, command.Argument] = dict(zip("RAB", files, strict=True))
    if "HDR" in arguments:
        names["HDR"] = media.make_hdr10_video(tmp_path / "hdr.mp4", size=SIZE, frames=3)
    given_names = [names.get(one, one) for one in arguments]
    command.assert_refused(capfd, tmp_path, status, words, "compare", *given_names)


# --- judging ----------------------------------------------------------------------------------------------------------


def answers_of(key: Key, number: int, choose: Callable[[int, int], str], **changes: Any) -> dict[str, Any]:
    """A file as the page saves it; choose: first or second, from the numbers of the files shown."""
    ids = {place: name for name, place in key.files.items()}
    answers = []
    for place, trial in enumerate(key.trials.values()):
        one, other = trial.candidates if (place + number) % 2 else trial.candidates[::-1]
        shown = {"trial": trial.id, "first": ids[trial.excerpt, one], "second": ids[trial.excerpt, other]}
        note = {"plays": 1, "one_to_one": True, "full_screen": True, "frames": 50, "dropped_frames": 0, "seconds": 1.5}
        answers.append({**shown, "choice": choose(one, other), **note})
    moment = "2026-11-30T20:00:00.000Z"
    screen = {"width_px": 1920, "height_px": 1080, "pixel_ratio": 1}
    about = {"kind": "stcodec pair test: answers", "schema": 1, "test": key.test, "viewer": f"{number:016x}"}
    when = {"number": number, "plan": 0, "started": moment, "saved": moment, "complete": True}
    return {**about, **when, "screen": screen, "answers": answers, **changes}


def save(folder: Path, *values: Any) -> list[Path]:
    paths = [folder / f"answers-{number}.json" for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return paths


def better(one: int, other: int) -> str:
    return "first" if one <= other else "second"


def worse(one: int, other: int) -> str:
    return "first" if one > other else "second"


def test_preference_and_who_is_doubtful(made: Path, tmp_path: Path) -> None:
    key = read_key(made / "key.json")
    sharp = [answers_of(key, number, better) for number in range(1, 5)]
    lazy = answers_of(key, 5, lambda one, other: "first", complete=False)
    lazy["answers"][-1]["seconds"] = 0.1
    lazy["answers"][-1]["dropped_frames"] = 40
    lazy["answers"][-1]["one_to_one"] = False
    found = judge(save(tmp_path, *sharp, lazy), made / "key.json")
    (pair,) = found.pairs
    (reliable,) = found.pairs_without_doubtful
    assert pair.candidates == ("one.mp4", "two.mkv") and pair.answers == 10 and pair.wins <= 2
    assert (pair.share, pair.low, pair.high) == tuple(wilson(pair.wins, 10))
    assert pair.low_over_viewers is not None and pair.high_over_viewers is not None
    assert pair.low_over_viewers <= pair.share <= pair.high_over_viewers
    assert (reliable.wins, reliable.answers) == (0, 8)
    assert [bool(viewer.doubts) for viewer in found.viewers] == [False] * 4 + [True]
    doubts = " ".join(found.viewers[4].doubts)
    assert all(words in doubts for words in ("did not finish", "dropped", "pixel for pixel", "less than 0.3 s"))
    (psnr,) = found.agreements
    assert psnr.metric == "psnr-whole" and psnr.predicted == 10 - pair.wins and psnr.answers == 10
    assert psnr.pearson is None  # two pairs


def test_more_than_two_files_and_the_metrics_that_agree(files: list[Path], tmp_path: Path) -> None:
    third = tmp_path / "three.mp4"
    media.run_ffmpeg("-i", files[0], "-c:v", "libx264", "-crf", "46", third)
    options = PairTestOptions(seconds=1, pairs=2)
    test, _ = make_test(files[0], [*files[1:], third], tmp_path / "test", options=options, scored_by=PSNR)
    key = read_key(test.key)
    values = [answers_of(key, number, better if number < 8 else worse) for number in range(1, 9)]
    found = judge(save(tmp_path, *values), test.key)
    assert len(found.pairs) == 3
    first, second, last = found.strengths
    assert first.value > second.value > last.value and second.low < 0.5 < second.high
    (psnr,) = found.agreements
    assert psnr.pairs == 6 and psnr.predicted == 7 * 6 and psnr.answers == 8 * 6


def test_saved_twice_counts_once_and_the_key_is_found_beside(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = read_key(made / "key.json")
    once = answers_of(key, 1, better)
    early = {**once, "answers": once["answers"][:2], "complete": False}
    paths = save(tmp_path, early, once, early)
    (tmp_path / "key.json").write_bytes((made / "key.json").read_bytes())
    done = command.run(capfd, "compare", "--ab-results", *sorted(tmp_path.glob("*.json")))
    assert done.status == 0 and "is preferred to one.mp4 in 0 of 2 answers: 0% [0%, 66%]" in done.out
    assert done.err.count("is there already; counted once") == 2
    assert len(paths) == 3


def change(value: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    """A copy with one value changed."""
    copy: dict[str, Any] = json.loads(json.dumps(value))
    place: Any = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return copy


HOSTILE: list[tuple[tuple[Any, ...], Any, str]] = [
    (("kind",), "other", "is no file of answers"),
    (("schema",), 2, "is of schema 2"),
    (("schema",), True, "is of schema True"),
    (("test",), "\u001b[31m\n" * 9, "is of the test"),
    (("viewer",), "../../etc/passwd", r"viewer is '\.\./\.\./etc/passwd': 16 hexadecimal digits"),
    (("viewer",), ["a"], "viewer is a list of 1"),
    (("number",), 0, "number is 0: a whole number of 1 to 100000"),
    (("number",), 10**400, "number is a huge number"),
    (("complete",), "yes", "complete is 'yes': true or false"),
    (("started",), "=cmd()", "started is '=cmd"),
    (("screen",), None, "screen is missing"),
    (("screen", "width_px"), 1e999, "is no JSON"),
    (("screen", "pixel_ratio"), -1, "pixel_ratio is -1"),
    (("answers",), {}, "answers is an object of 0: a list"),
    (("answers",), [1] * 1000, "answers is a list of 1000: a list of at most"),
    (("answers", 0), 7, "an answer is 7"),
    (("answers", 0, "trial"), "f" * 16, "there is no pair 'f"),
    (("answers", 0, "trial"), {}, "there is no pair a"),
    (("answers", 0, "first"), "<script>", "shows no file '<script>'"),
    (("answers", 0, "choice"), "third", "choice is 'third': first or second"),
    (("answers", 0, "seconds"), "NaN", "seconds is 'NaN'"),
    (("answers", 0, "seconds"), math.nan, "NaN is no number of JSON"),
    (("answers", 0, "plays"), 0, "plays is 0"),
    (("answers", 0, "one_to_one"), 1, "one_to_one is 1"),
    (("answers", 0, "dropped_frames"), 51, "dropped_frames is 51: a whole number of 0 to 50"),
]


@pytest.mark.parametrize(("path", "to", "words"), HOSTILE)
def test_hostile_answers(
    path: tuple[Any, ...], to: Any, words: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    value = change(answers_of(read_key(made / "key.json"), 1, better), *path, to=to)
    save(tmp_path, value)
    command.assert_refused(
        capfd, tmp_path, 1, words, "compare", "--ab-results", tmp_path / "answers-0.json", "--key", made / "key.json"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ("null", "is no file of answers"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": ' * 5_000, "is no JSON"),
        (" " * 1_000_001, "has more than 1000000 bytes"),
        ("\x00\x01", "is no JSON"),
        ('"\\ud800"', "is no file of answers"),
        ("1" * 5000, "is no JSON"),
    ],
)
def test_files_that_are_no_answers(
    text: str, words: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, text)
    command.assert_refused(
        capfd, tmp_path, 1, words, "compare", "--ab-results", tmp_path / "answers-0.json", "--key", made / "key.json"
    )


def test_two_answers_to_one_pair_and_no_key(made: Path, tmp_path: Path) -> None:
    value = answers_of(read_key(made / "key.json"), 1, better)
    twice = {**value, "answers": [*value["answers"][:-1], value["answers"][0]]}
    with pytest.raises(MediaError, match="two answers to one pair"):
        judge(save(tmp_path, twice), made / "key.json")
    with pytest.raises(OptionsError, match="the key of the test is needed"):
        judge(save(tmp_path, value))
    with pytest.raises(MediaError, match="is no key of a pair test"):
        judge(save(tmp_path, value), tmp_path / "answers-0.json")
    with pytest.raises(MediaError, match="no such file"):
        judge([tmp_path / "missing.json"])
    damaged = json.loads((made / "key.json").read_text())
    damaged["trials"][0]["candidates"] = [0, 9]
    (tmp_path / "key.json").write_text(json.dumps(damaged))
    with pytest.raises(MediaError, match=r"key\.json: is damaged"):
        judge(save(tmp_path, value), tmp_path / "key.json")
