"""HLS (RFC 8216) with a sliding window: fMP4 segments, a media playlist for each track, and a master playlist.

Where a server of ours gives the files out, playlists are those of low-latency HLS (draft-pantos-hls-rfc8216bis): each piece
of a segment is listed as soon as it is there, and players ask for the next before it is.
"""

from __future__ import annotations

import math
from pathlib import Path

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.codecs import codecs_parameter
from stcodec.stream.output.files import write_whole
from stcodec.stream.output.ladder import LadderSender
from stcodec.stream.output.segments import PARTS_LISTED, Segment, SegmentPart, TrackFiles
from stcodec.stream.output.wall_clock import date_text
from stcodec.stream.packet import Tracks

_HEADROOM = 1.2
"""A segment may have more than the average rate; players trust what the playlist says of the peak."""
_PART_SECONDS = 0.2
_HOLD_BACK_PARTS = 3
"""So far behind the newest part players stay: the least that is allowed."""


class HlsSender(LadderSender):
    """Segments in a folder, with playlists that are rewritten as a whole."""

    def __init__(self, target: TargetAddress, segment_seconds: float, *, is_served: bool = False) -> None:
        super().__init__(target, segment_seconds, is_served=is_served)
        self.has_parts = is_served
        self._longest = 1
        self._written = ""

    def open(self, tracks: Tracks) -> None:
        """Begin the first segment, or the next after a fault."""
        rate = next((one.frame_rate for one in tracks if one.frame_rate), None)
        if self.is_served and rate is not None and not self.tracks:
            # Whole frames, so that all parts but the last of a segment are as long as the playlist says.
            self.chunk_seconds = max(1, round(_PART_SECONDS * rate)) / float(rate)
        super().open(tracks)

    def publish_part(self, files: TrackFiles) -> None:
        """Rewrite the track's playlist: it has a part more."""
        if self.has_parts and files.window:
            write_whole(self._playlist(files), self._media(files, has_ended=False).encode())

    def publish(self, files: TrackFiles, segment: Segment) -> None:
        """Rewrite the track's playlist, and the one over all when it has something new to say."""
        write_whole(self._playlist(files), self._media(files, has_ended=False).encode())
        if not all(one.window for one in self.tracks):
            return
        master = self._master()
        if master != self._written or not self.list_path.exists():
            write_whole(self.list_path, master.encode())
            self._written = master

    def publish_end(self) -> None:
        """No more segments come."""
        for files in self.tracks:
            if files.window:
                write_whole(self._playlist(files), self._media(files, has_ended=True).encode())
                files.remove_parts()

    def _playlist(self, files: TrackFiles) -> Path:
        return self.folder / f"{files.stem}.m3u8"

    def _media(self, files: TrackFiles, *, has_ended: bool) -> str:
        low_latency = self.has_parts and not has_ended
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{9 if low_latency else 7}",
            f"#EXT-X-TARGETDURATION:{self._target_seconds(files)}",
            f"#EXT-X-MEDIA-SEQUENCE:{files.window[0].number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{files.breaks_gone}",
        ]
        if low_latency:
            longest = math.ceil(1000 * 1.01 * self.chunk_seconds) / 1000  # times are rounded
            lines.append(f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_HOLD_BACK_PARTS * longest:.3f}")
            lines.append(f"#EXT-X-PART-INF:PART-TARGET={longest:.3f}")
        head_name = ""
        for place, segment in enumerate(files.window):
            lines += _begin(segment.unix_seconds, segment.head_name, head_name, is_discontinuity=segment.is_discontinuity)
            head_name = segment.head_name
            if low_latency and place >= len(files.window) - PARTS_LISTED:
                lines += map(_part, segment.parts)
            lines += [f"#EXTINF:{segment.seconds:.5f},", segment.name]
        if low_latency:
            if files.parts:
                lines += _begin(files.unix_seconds, files.head_name, head_name, is_discontinuity=files.is_discontinuity)
                lines += map(_part, files.parts)
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{files.part_name(len(files.parts))}"')
            lines += (self._report(one) for one in self.tracks if one is not files and one.window)
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if has_ended else []), ""])

    def _report(self, files: TrackFiles) -> str:
        """State of another playlist, for players that change to it."""
        number, parts = (files.number, files.parts) if files.parts else (files.number - 1, files.window[-1].parts)
        newest = f"LAST-MSN={number},LAST-PART={len(parts) - 1}"
        return f'#EXT-X-RENDITION-REPORT:URI="{self._playlist(files).name}",{newest}'

    def _target_seconds(self, files: TrackFiles) -> int:
        """Target duration: at least every segment's rounded length, never less than before or than 1."""
        longest = max(one.seconds for one in files.window)
        self._longest = max(self._longest, math.ceil(self.segment_seconds - 0.01), math.floor(longest + 0.5))
        return self._longest

    def _master(self) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        audio = [files for files in self.tracks if files.track.kind == "audio"]
        for files in audio:
            name = self._playlist(files).name
            lines.append(
                f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{files.track.name}",DEFAULT=YES,AUTOSELECT=YES,'
                f'CHANNELS="{files.track.channels}",URI="{name}"'
            )
        for files in self.tracks:
            if files.track.kind == "video":
                lines += [self._variant(files, audio), self._playlist(files).name]
        return "\n".join([*lines, ""])

    def _variant(self, files: TrackFiles, audio: list[TrackFiles]) -> str:
        track = files.track
        average = sum(one.track.bitrate_bps or round(one.peak_bps) for one in (files, *audio))
        codecs = ",".join(codecs_parameter(one.track) for one in (files, *audio))
        words = [f"BANDWIDTH={round(_HEADROOM * average)}", f"AVERAGE-BANDWIDTH={average}", f'CODECS="{codecs}"']
        words.append(f"RESOLUTION={track.width_px}x{track.height_px}")
        words += [f"FRAME-RATE={float(track.frame_rate):.3f}"] if track.frame_rate else []
        words += ['AUDIO="sound"'] if audio else []
        return f"#EXT-X-STREAM-INF:{','.join(words)}"


def _begin(unix_seconds: float, head_name: str, head_before: str, *, is_discontinuity: bool) -> list[str]:
    """Lines before a segment, or before the parts of one."""
    lines = ["#EXT-X-DISCONTINUITY"] if is_discontinuity else []
    if head_name != head_before:
        lines.append(f'#EXT-X-MAP:URI="{head_name}"')
    return [*lines, f"#EXT-X-PROGRAM-DATE-TIME:{date_text(unix_seconds)}"]


def _part(part: SegmentPart) -> str:
    independent = ",INDEPENDENT=YES" if part.is_independent else ""
    return f'#EXT-X-PART:DURATION={part.seconds:.5f},URI="{part.name}"{independent}'
