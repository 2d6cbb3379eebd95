"""The finished file, read once more before it takes its name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from stcodec.encoders.av1_headers import verify_levels
from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.verify import Requested, verify_offsets
from stcodec.errors import OUT_OF_RESOURCES, MediaError, VerifyError
from stcodec.media.decode import VideoReader
from stcodec.media.packets import ShownTimes, shown_times
from stcodec.media.seek import frames_from
from stcodec.options import RunOptions
from stcodec.pipeline.summary import Tally
from stcodec.report import Checks, OffsetsApplied
from stcodec.types import VideoInfo

_FRAMES_PER_SAMPLE = 300
_DECODED = 9
"""Frames that are decoded as a sample, all places together."""
_WITHOUT_LENGTHS = (".ts", ".m2ts")
"""Containers in which a frame lasts until the next begins: the last has no length."""
_LAST_SHORTER_SECONDS = 0.1
"""A loss that can be seen; sources round the length of the last frame, or guess it."""


def check_file(
    plan: EncoderPlan,
    reader: VideoReader,
    written: Path,
    tally: Tally,
    run: RunOptions,
    now: Callable[[str], None] = lambda what: None,
) -> tuple[OffsetsApplied, Checks | None]:
    """Frame count, times, that it decodes, and that the offsets are there. Raises VerifyError if one of them fails.

    run.verify: False = nothing is read; None = the offsets only where the bitstream shows them. now: is told what is done.
    """
    if run.verify is False:
        return OffsetsApplied("none", "not-measured", "verification was turned off"), None
    now("reading the file's frames and times")
    checks = check_frames(reader.info, written, tally)
    if not plan.has_offsets:
        return OffsetsApplied("none", "not-measured", "a plain encode has no offsets"), checks
    if run.verify is None and plan.encoder.read_back == "effect":
        why = f"{plan.encoder.codec} exports no QP; --verify measures the effect of the offsets instead"
        return OffsetsApplied("none", "not-measured", why), checks
    now("encoding samples without offsets to compare" if plan.encoder.read_back != "levels" else "reading the offsets")
    samples = _choose(tally.samples, tally.frames)
    listed = None
    if plan.encoder.read_back == "levels":
        listed = verify_levels(plan.encoder, written, samples, checks.shift_seconds, plan.options)
        _refuse_lost(plan, listed)
        if not run.verify:
            return listed, checks
    applied = verify_offsets(plan, reader, written, samples, checks.shift_seconds)
    _refuse_lost(plan, applied)
    if listed is not None and applied.verdict == "not-measured":
        why = f"{listed.why}; their effect was not measured: {applied.why}"
        return replace(listed, why=why, attended_db=applied.attended_db, whole_db=applied.whole_db), checks
    if listed is not None and listed.share_applied is not None:
        why = f"{applied.why}; the offsets of {listed.share_applied:.0%} of the blocks are in the headers of their frames"
        applied = replace(applied, why=why)
    return applied, checks


def _refuse_lost(plan: EncoderPlan, applied: OffsetsApplied) -> None:
    if applied.verdict == "not-applied":
        found = [f"{name} {value:.2f}" for name in ("slope", "correlation") if (value := getattr(applied, name)) is not None]
        raise VerifyError(
            f"{plan.encoder.name} did not apply the offsets ({', '.join(found)} over {applied.blocks} blocks): nothing was "
            "kept; --no-verify keeps such a file"
        )


def check_frames(source: VideoInfo, written: Path, tally: Tally) -> Checks:
    """Count, times and lengths of the frames that a player shows against those that were sent, and a sample decoded.

    Raises VerifyError where they differ.
    """
    shown = shown_times(written)
    if len(shown.pts) != tally.frames:
        raise VerifyError(f"{tally.frames} frames were encoded but the file shows {len(shown.pts)}: nothing was kept")
    sent, found = sorted(tally.pts), sorted(shown.pts)
    if not _times_kept(sent, source.time_base, found, shown.time_base):
        raise VerifyError("the times of the frames in the file differ from the source's: nothing was kept")
    last_sent = float((tally.end_pts - sent[-1]) * source.time_base)
    last_found = float((shown.end - found[-1]) * shown.time_base)
    if last_sent - last_found > _LAST_SHORTER_SECONDS:
        if written.suffix.lower() not in _WITHOUT_LENGTHS:
            raise VerifyError(f"the last frame stands for {last_found:.3f} s, not {last_sent:.3f} s: nothing was kept")
        tally.messages.append(f"the last frame should stand for {last_sent:.2f} s: mpegts has no place for it")
    return Checks(
        frames_sent=tally.frames,
        frames_in_file=len(found),
        duration_source_seconds=float((max(tally.end_pts, sent[-1]) - sent[0]) * source.time_base),
        duration_file_seconds=float((shown.end - found[0]) * shown.time_base),
        frames_decoded=_decode_sample(written, shown),
        shift_seconds=float(found[0] * shown.time_base - sent[0] * source.time_base),
        timestamps_kept=True,
    )


def _times_kept(sent: list[int], sent_base: Fraction, found: list[int], found_base: Fraction) -> bool:
    """True if times agree relative to the first frame's, to one tick of the coarser clock."""
    tolerance = max(sent_base, found_base)
    return all(
        abs((a - sent[0]) * sent_base - (b - found[0]) * found_base) <= tolerance for a, b in zip(sent, found, strict=True)
    )


def _decode_sample(written: Path, shown: ShownTimes) -> int:
    """Decode a few frames from the first key frame on, from one in the middle and from the last; how many there were.

    Frames elsewhere would cost the decoding of all since the key frame before them. Raises VerifyError.
    """
    times, keys = sorted(shown.pts), sorted(shown.keys) or [min(shown.pts)]
    places = sorted({keys[0], _latest(keys, times[len(times) // 2]), keys[-1]})
    decoded = 0
    for key in places:
        place = bisect_left(times, key)
        wanted = min(_DECODED // len(places), len(times) - place)
        seconds = float((key + Fraction(1, 2)) * shown.time_base)  # rounding must not lead to the key frame before
        try:
            with closing(frames_from(written, seconds, keep_partial=False)) as frames:
                got = [frame for frame in islice(frames, wanted) if not frame.is_corrupt]
        except MediaError as error:
            if error.errno in OUT_OF_RESOURCES:
                raise
            raise VerifyError(f"the file does not decode at frame {place} ({error}): nothing was kept") from None
        if len(got) != wanted:
            raise VerifyError(f"{len(got)} of {wanted} frames decode at frame {place} of the file: nothing was kept")
        decoded += len(got)
    return decoded


def _latest(keys: list[int], time: int) -> int:
    """The last key frame that is shown at a time or before; the first if none is."""
    return keys[max(0, bisect_right(keys, time) - 1)]


def _choose(samples: list[Requested], frames: int) -> list[Requested]:
    """One to three samples, spread evenly: the longer the video, the more it can afford."""
    count = min(3, max(1, frames // _FRAMES_PER_SAMPLE), len(samples))
    return [samples[index * len(samples) // count] for index in range(count)]
