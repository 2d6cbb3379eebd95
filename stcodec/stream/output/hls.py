"""HLS (RFC 8216) with a sliding window: fMP4 segments, a media playlist for each track, and a master playlist."""

from __future__ import annotations

import math
from pathlib import Path

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.codecs import codecs_parameter
from stcodec.stream.output.ladder import LadderSender
from stcodec.stream.output.segments import Segment, TrackFiles, date_text, write_whole

_HEADROOM = 1.2
"""A segment may have more than the average rate; players trust what the playlist says of the peak."""


class HlsSender(LadderSender):
    """Segments in a folder, with playlists that are rewritten as a whole."""

    def __init__(self, target: TargetAddress, segment_seconds: float) -> None:
        super().__init__(target, segment_seconds)
        self._longest = 1
        self._written = ""

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

    def _playlist(self, files: TrackFiles) -> Path:
        return self.folder / f"{files.stem}.m3u8"

    def _media(self, files: TrackFiles, *, has_ended: bool) -> str:
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{self._target_seconds(files)}",
            f"#EXT-X-MEDIA-SEQUENCE:{files.window[0].number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{files.breaks_gone}",
        ]
        head_name = ""
        for segment in files.window:
            if segment.is_discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment.head_name != head_name:
                head_name = segment.head_name
                lines.append(f'#EXT-X-MAP:URI="{head_name}"')
            date = date_text(segment.unix_seconds)
            lines += [f"#EXT-X-PROGRAM-DATE-TIME:{date}", f"#EXTINF:{segment.seconds:.5f},"]
            lines.append(segment.name)
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if has_ended else []), ""])

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
