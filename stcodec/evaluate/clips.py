"""The clips that a user means, and the gaze that belongs to each."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stcodec.errors import MediaError, OptionsError
from stcodec.media.paths import VIDEO_ENDINGS, check_input, display_name, file_error

_MASK = ".mask"


@dataclass(frozen=True)
class ClipFile:
    """A clip as it was found."""

    name: str
    """Unique among the clips: the file name without its ending."""
    path: Path
    gaze: Path | None
    """Its fixations; None if there are none."""


def find_clips(texts: Sequence[str], gaze: Path | None) -> list[ClipFile]:
    """The clips that files, folders and patterns stand for, in order, each with its gaze if there is some.

    A folder stands for the videos in it (not in folders below it), but for NAME.mask.EXT beside NAME.EXT. gaze: a folder
    that holds NAME.csv, or one CSV file for one clip; without it NAME.csv beside the clip is looked for.
    Raises MediaError for files that are not there, OptionsError for two clips of one name.
    """
    paths = list(dict.fromkeys(path for text in texts for path in _expand(text)))
    doubled = [name for name, count in Counter(path.stem for path in paths).items() if count > 1]
    if doubled:
        raise OptionsError(
            f"two clips are called {display_name(doubled[0])}: rename one, or evaluate them apart", value=doubled[0]
        )
    if gaze is not None and not gaze.is_dir() and len(paths) > 1:
        check_input(gaze)
        raise OptionsError(
            f"{display_name(gaze)}: is one file, and there are {len(paths)} clips: give a folder with NAME.csv of each",
            path=gaze,
        )
    return [ClipFile(path.stem, path, _gaze_of(path, gaze)) for path in paths]


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        return _in_folder(path)
    if not os.path.lexists(path) and glob.has_magic(text):
        found = sorted(Path(one) for one in glob.glob(text, recursive=True))  # noqa: PTH207 (absolute patterns too)
        if not found:
            raise MediaError(f"{display_name(text)}: no file matches", path=text)
        return [one for one in found if one.is_file()]
    return [check_input(path)]


def _in_folder(folder: Path) -> list[Path]:
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix.lower() in VIDEO_ENDINGS and one.is_file())
    except OSError as error:
        raise file_error(folder, "the folder can't be read", error) from None
    names = {one.stem for one in files}
    clips = [one for one in files if not one.stem.endswith(_MASK) or one.stem.removesuffix(_MASK) not in names]
    clips = [one for one in clips if not one.name.startswith(".")]
    if not clips:
        raise MediaError(f"{display_name(folder)}: the folder holds no video", path=folder)
    return clips


def _gaze_of(path: Path, given: Path | None) -> Path | None:
    if given is not None and not given.is_dir():
        return check_input(given)
    place = path.with_suffix(".csv") if given is None else given / f"{path.stem}.csv"
    return place if place.is_file() else None
