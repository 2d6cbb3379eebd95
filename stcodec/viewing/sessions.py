"""Sessions of a pair test: how long they last, and what makes them weaker."""

from __future__ import annotations

from collections.abc import Sequence

from stcodec.types import VideoInfo
from stcodec.viewing.excerpts import Excerpt
from stcodec.viewing.options import PairTestOptions
from stcodec.viewing.trials import Trial

_USUAL_SECONDS = 6.0
_MOST_MINUTES = 30.0
"""Of a session without a break (ITU-T P.910)."""
_VOTE_SECONDS = 5.0
"""Between two pairs, for the estimate of how long a session lasts."""
_TITLE_SECONDS = 1.0
"""Grey with a number before each excerpt in turn."""


def session_warnings(
    options: PairTestOptions,
    excerpts: Sequence[Excerpt],
    trials: Sequence[Trial],
    shown: VideoInfo,
    videos: Sequence[VideoInfo],
    names: Sequence[str],
) -> list[str]:
    """What makes a test weaker, a line each."""
    lines = []
    if len(excerpts) < options.pairs:
        lines.append(f"the video has room for {len(excerpts)} excerpts, {options.pairs} were asked for")
    shortest = min(excerpt.seconds for excerpt in excerpts)
    if shortest < _USUAL_SECONDS:
        lines.append(f"excerpts last {shortest:.1f} s: 6 to 10 s are usual, and in less people judge single moments")
    if (minutes := session_minutes(options, excerpts, trials)) > _MOST_MINUTES:
        lines.append(f"a session lasts about {minutes:.0f} minutes: more than 30 tire the eyes; lower --ab-pairs")
    for video, name in zip(videos, names, strict=True):
        if video.bit_depth > 8 or not video.pix_fmt.startswith(("yuv420p", "yuvj420p", "nv12")):
            lines.append(f"{name}: {video.pix_fmt} is shown as 8 bits, 4:2:0, and every excerpt is measured against that")
        if _tags(video) != _tags(shown):
            lines.append(f"{name}: its colour tags are not the reference's; all excerpts are shown by the reference's")
    return lines


def _tags(video: VideoInfo) -> tuple[int, int, int]:
    """Colour tags; the range was compared before anything was scored."""
    return video.colour.primaries, video.colour.transfer, video.colour.space


def session_minutes(options: PairTestOptions, excerpts: Sequence[Excerpt], trials: Sequence[Trial]) -> float:
    """Length of a session, about."""
    in_turn = options.show == "in-turn"
    each = [excerpts[trial.excerpt].seconds for trial in trials]
    shown = sum(2 * (one + _TITLE_SECONDS) if in_turn else one for one in each)
    return (shown + _VOTE_SECONDS * len(trials)) / 60
