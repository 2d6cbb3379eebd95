"""Report of an encode, in a few lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stcodec.cli.progress_bar import counted, size
from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.report import EncodeReport, MatchReport, OffsetsApplied


def summary(report: EncodeReport) -> str:
    """The report in a few lines."""
    change = report.output_bytes / report.source_bytes - 1
    lines = [
        f"{display_name(report.output)}: {counted(report.frames, 'frame')}, {size(report.output_bytes)} "
        f"({change:+.1%} of the source's {size(report.source_bytes)}), video {report.video_kbps:.0f} kbit/s, "
        f"{report.frames_per_second:.1f} fps",
        f"offsets: {_offsets(report)}",
        *_quality(report.offsets_applied),
    ]
    if report.checks is not None:
        checks = report.checks
        lines.append(
            f"checked: {checks.frames_in_file} frames with their times, {checks.frames_decoded} decoded as a sample"
        )
    if report.match is not None:
        lines += _match(report.match)
    return "\n".join(lines + [f"note: {display_name(message)}" for message in report.messages])


def _match(match: MatchReport) -> list[str]:
    """Results and cost of a search."""
    unit = match.unit
    verdict = "" if match.within_tolerance else f", which MISSES the tolerance of {match.tolerance:g}"
    lines = [
        f"matched {match.target}: {match.metric} {match.reached:.3f} {unit}, {match.difference:+.3f} from what was "
        f"wanted{verdict}, on {match.frames_compared} frames"
    ]
    apart = [shot.difference for shot in match.shots if shot.difference is not None]
    if len(apart) > 1:
        lines[0] += f"; farthest shot {max(apart, key=abs):+.3f}"
    percentile_5 = match.percentile_5_difference
    reached = f"{match.percentile_5:.3f}" if percentile_5 is None else f"{percentile_5:+.3f}"
    lines[0] += f"; 5th percentile of frames {reached} {unit}"
    if match.saving_percent is not None and match.plain_bytes is not None:
        word = "smaller" if match.saving_percent >= 0 else "LARGER"
        lines.append(f"video {abs(match.saving_percent):.1f} % {word} than the plain encode's {size(match.plain_bytes)}")
    shifts = [shot.shift_qp for shot in match.shots]
    found = f"crf {match.base_crf:g} for the whole file"
    if match.control == "shots":
        found = f"{counted(len(shifts), 'shot')} at crf {match.base_crf:g} {min(shifts):+.2f} to {max(shifts):+.2f} QP"
    again = "".join(f", encoded once more for a miss of {miss:+.3f} {unit}" for miss in match.misses)
    cost = f"{counted(match.encodes, 'encode')}, {match.cost_in_encodes:.1f} times the video's frames, {match.seconds:.0f} s"
    return [*lines, f"searched: {found}{again}; it took {cost}"]


def _quality(applied: OffsetsApplied) -> list[str]:
    """Gain and loss of quality, as the check measured them."""
    if applied.attended_db is None or applied.whole_db is None:
        return []
    frames = counted(applied.frames, "frame")
    attended, whole = (
        f"{applied.attended_db:+.1f} dB where the map expects viewers",
        f"{applied.whole_db:+.1f} dB over the whole",
    )
    return [f"quality of {frames} against a plain encode at the same crf: {attended}, {whole}"]


def _offsets(report: EncodeReport) -> str:
    applied = report.offsets_applied
    if report.mean_delta_qp is None:
        return "none asked for"
    if report.mean_delta_qp == report.spread_delta_qp == 0:
        return f"all 0: the maps of {display_name(report.attention)} single nothing out"
    asked = f"{display_name(report.attention)}, mean {report.mean_delta_qp:+.1f} QP, spread {report.spread_delta_qp:.1f} QP"
    return f"{asked}; {_found(applied)}"


def _found(applied: OffsetsApplied) -> str:
    if applied.slope is None:
        return f"{applied.verdict}: {applied.why}"
    unit = "dB for each QP asked for" if applied.method == "effect" else "of what was asked for"
    text = f"{applied.verdict}: slope {applied.slope:.2f} {unit}"
    if applied.correlation is not None:
        text += f", correlation {applied.correlation:.2f}"
    if applied.share_applied is not None:
        text += f", {applied.share_applied:.0%} of {applied.blocks} blocks within 1 QP"
    return f"{text} ({applied.why})"
