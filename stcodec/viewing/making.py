"""A pair test, made: files scored, excerpts written under names that tell nothing, the viewers' page and the key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stcodec.errors import MediaError, OptionsError, VerifyError
from stcodec.evaluate.comparison import CompareOptions, compare
from stcodec.evaluate.results import Evaluation
from stcodec.media.decode import VideoReader
from stcodec.media.output import work_folder
from stcodec.media.paths import check_input, display_name, file_error
from stcodec.media.temporary import temporary_folder
from stcodec.progress import Meter, ProgressSink
from stcodec.types import VideoInfo
from stcodec.viewing.copies import CopiesTask, check_shown, pad_alike
from stcodec.viewing.excerpts import Excerpt, choose_excerpts, read_content
from stcodec.viewing.key import KEY_NAME, key_text
from stcodec.viewing.key_making import key_of_test
from stcodec.viewing.matched import matching_lines, matchings
from stcodec.viewing.options import PairTestOptions
from stcodec.viewing.page.page import PAGE_NAME, render
from stcodec.viewing.sessions import session_minutes, session_warnings
from stcodec.viewing.trials import make_plans, make_trials, secret_id
from stcodec.work.workers import Workers, cores

VIEWERS_FOLDER = "for-viewers"
"""What viewers get; the key lies beside it."""
_CLIPS = "clips"


@dataclass(frozen=True)
class PairTest:
    """A test that was made."""

    folder: Path
    page: Path
    key: Path
    excerpts: tuple[Excerpt, ...]
    trials: int
    """Shown to each viewer, practice included."""
    minutes: float
    """Of a session, about."""
    least_psnr_db: float
    """Of any plane of any picture that is shown against its file's; infinite = all are equal."""
    messages: tuple[str, ...]
    """How well the files are matched, and warnings."""


def make_test(
    reference: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    options: PairTestOptions | None = None,
    scored_by: CompareOptions | None = None,
    report: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    command: str = "",
    progress: ProgressSink | None = None,
) -> tuple[PairTest, Evaluation]:
    """Compare files with their reference, and write a test of them into a new or empty folder, whole or not at all.

    scored_by, report, overwrite: as in `stcodec.evaluate.compare`; overwrite is of the report alone, since the key that
    lies in the folder of another test unblinds answers that may still come. Raises OptionsError or MediaError.
    """
    options, scored_by = options or PairTestOptions(), scored_by or CompareOptions()
    place = _check_place(Path(folder))
    source, paths = check_input(reference), [check_input(path) for path in files]
    videos = _check_files(paths)
    results = compare(
        source, paths, options=scored_by, report=report, overwrite=overwrite, command=command, progress=progress
    )
    if len(results.curves) < len(paths):
        raise MediaError(f"no test without all of its files: {results.failures[0].message}")
    with VideoReader(source) as reader:
        shown = reader.info
    excerpts = choose_excerpts(read_content(source), options.seconds, options.pairs)
    rng = np.random.default_rng(options.seed)
    trials = make_trials(len(paths), len(excerpts), rng)
    with _whole_folder(place) as made:
        clips = made / VIEWERS_FOLDER / _CLIPS
        ids = [[secret_id() for _ in paths] for _ in excerpts]
        least = _write_copies(paths, excerpts, ids, clips, shown, scored_by.jobs or cores(), progress)
        lines = matching_lines(matchings(results), [arm.name for arm in results.arms], results.metrics)
        lines += session_warnings(options, excerpts, trials, shown, videos, [arm.name for arm in results.arms])
        key = key_of_test(results, excerpts, ids, trials, options, command, lines, least)
        _write(made / KEY_NAME, key_text(key))
        plans = make_plans(trials, rng)
        page = render(key.test, options.show, _display_size(shown), _CLIPS, ids, plans)
        _write(made / VIEWERS_FOLDER / PAGE_NAME, page)
    test = PairTest(
        place,
        place / VIEWERS_FOLDER / PAGE_NAME,
        place / KEY_NAME,
        tuple(excerpts),
        len(trials),
        session_minutes(options, excerpts, trials),
        min(map(min, least)),
        tuple(lines),
    )
    return test, results


@contextmanager
def _whole_folder(place: Path) -> Iterator[Path]:
    """A folder with one for clips in it, elsewhere until the block has ended well: then it gets its place."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(temporary_folder(place.parent, is_hidden=True)) / "test"
            (made / VIEWERS_FOLDER / _CLIPS).mkdir(parents=True)
        except OSError as error:
            raise file_error(place, "can't be made", error) from None
        yield made
        try:
            made.rename(place)  # over an empty folder, too
        except OSError as error:
            raise file_error(place, "can't be made", error) from None


def _check_place(folder: Path) -> Path:
    """Raises MediaError unless the folder is new or empty."""
    name = display_name(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise MediaError(f"{name}: is a file; give a new folder for the test", path=folder)
        if folder.is_dir() and any(folder.iterdir()):
            raise MediaError(f"{name}: is not empty; give a new folder (the key of a test is never replaced)", path=folder)
        if not folder.parent.is_dir():
            raise MediaError(f"{name}: the folder {display_name(folder.parent)} does not exist; make it first", path=folder)
    except (OSError, ValueError) as error:
        raise file_error(folder, "can't be made", error) from None
    return folder.resolve()


def _check_files(paths: Sequence[Path]) -> list[VideoInfo]:
    if len(paths) < 2:
        raise OptionsError("a pair test needs two files or more beside the reference")
    videos = []
    for path in paths:
        with VideoReader(path) as reader:
            check_shown(reader.info, reader.name)
            videos.append(reader.info)
    return videos


def _write_copies(
    paths: Sequence[Path],
    excerpts: Sequence[Excerpt],
    ids: Sequence[Sequence[str]],
    clips: Path,
    shown: VideoInfo,
    jobs: int,
    progress: ProgressSink | None,
) -> list[tuple[float, ...]]:
    """Least PSNR [candidate][excerpt] of the excerpts that were written."""
    targets = [[clips / f"{ids[excerpt][place]}.mp4" for excerpt in range(len(excerpts))] for place in range(len(paths))]
    meter = Meter(progress)
    meter.enter_tasks("excerpts", [display_name(path) for path in paths])
    found: dict[int, tuple[float, ...]] = {}
    with work_folder() as work, Workers(min(jobs, len(paths)), work) as workers:
        tasks = [
            CopiesTask(path, tuple(excerpts), tuple(of_path), shown.colour)
            for path, of_path in zip(paths, targets, strict=True)
        ]
        for outcome in workers.run(tasks):
            if outcome.error is not None:
                raise VerifyError(outcome.error)
            found[outcome.place] = outcome.result
            meter.task(outcome.place)
    try:
        for of_excerpt in zip(*targets, strict=True):
            pad_alike(of_excerpt)
    except OSError as error:
        raise file_error(clips, "an excerpt can't be written", error) from None
    return [found[place] for place in range(len(paths))]


def _display_size(video: VideoInfo) -> tuple[int, int]:
    """Width and height of the shown pictures, px; pixels that are not square are shown wider, as players do."""
    aspect = video.sample_aspect_ratio or Fraction(1)
    width, height = round(video.width_px // 2 * 2 * aspect), video.height_px // 2 * 2
    return (height, width) if video.rotation_degrees in (90, 270) else (width, height)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise file_error(path, "can't be written", error) from None
