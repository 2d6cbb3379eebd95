"""Segmenter that writes all tracks of a stream into a folder, the base of HLS and DASH."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.files import first_number, remove_old
from stcodec.stream.output.segments import Segment, TrackFiles
from stcodec.stream.output.sender import chosen_tracks
from stcodec.stream.output.wall_clock import WallClock
from stcodec.stream.packet import TICK, LivePacket, Track, Tracks

_EARLY = 0.9
"""A key frame that comes a little early ends a segment, too: frame rates are not whole numbers."""


class LadderSender(ABC):
    """Sender of segments; subclasses write the playlists or the manifest."""

    keep = 6
    """Segments of each track that can be had."""
    joint = "_"
    """Separator of the playlist's and the track's name: differs by kind, so that all.m3u8 and all.mpd don't clash."""
    has_parts = False
    """Whether each piece of a segment is a file of its own, too."""
    chunk_seconds = 0.25
    """Longest piece in which a growing segment is written."""

    def __init__(self, target: TargetAddress, segment_seconds: float, *, is_served: bool = False) -> None:
        """is_served: a server of ours gives the files out, and can wait for what comes next."""
        self.is_served = is_served
        self.is_connected = False
        self.folder = target.path.absolute().parent
        self.prefix = f"{target.path.stem}{self.joint}"
        """Prefix of the names of its files."""
        self.list_path = target.path.absolute()
        self.segment_seconds = segment_seconds
        self.tracks: list[TrackFiles] = []
        """The files of the tracks that go there: video first."""
        self._target = target
        self._files: dict[int, TrackFiles] = {}
        self._past: dict[str, TrackFiles] = {}
        self._cuts: deque[int] = deque(maxlen=4)
        """Times at which audio segments are still to be cut."""
        self._clock = WallClock()

    @property
    def bytes(self) -> int:
        """Written so far."""
        return sum(one.total_bytes for one in self._past.values())

    def open(self, tracks: Tracks) -> None:
        """Begin the first segment, or the next after a fault."""
        if not self._past:
            remove_old(self.folder, self.prefix)
        wanted = range(len(tracks)) if self._target.takes_ladder else chosen_tracks(tracks, self._target.rendition)
        self._files = {index: self._track_files(tracks[index]) for index in wanted}
        self.tracks = sorted(self._files.values(), key=lambda one: one.track.kind == "audio")
        self._cuts.clear()
        self.is_connected = True

    def write(self, packet: LivePacket) -> None:
        """Add a packet, and end the segments that end before it."""
        files = self._files.get(packet.track)
        if files is None:
            return
        if files.track.kind == "video":
            self._cut_video(files, packet)
        else:
            self._cut_audio(files, packet)
        if files.add(packet, self._clock.unix_seconds(packet)):
            self.publish_part(files)

    def change(self, tracks: Tracks) -> None:
        """End all segments, and begin with new heads."""
        self._finish_all()
        self.open(tracks)

    def close(self) -> None:
        """End all segments and say that no more come."""
        self._finish_all()
        self.publish_end()
        self.is_connected = False

    def abandon(self) -> None:
        """Remove what is half written."""
        for files in self.tracks:
            files.give_up()
        self.is_connected = False

    def interrupt(self) -> None:  # noqa: B027 (there is nothing to do, for all kinds)
        """A disk is not waited for."""

    @abstractmethod
    def publish(self, files: TrackFiles, segment: Segment) -> None:
        """Publish a finished segment."""

    def publish_part(self, files: TrackFiles) -> None:  # noqa: B027 (DASH says when a piece comes, not that it has)
        """Publish that a segment has grown."""

    @abstractmethod
    def publish_end(self) -> None:
        """Publish the end of the stream."""

    def _track_files(self, track: Track) -> TrackFiles:
        """The files of a track that is to be written from now on."""
        name = "".join(char if char.isalnum() else "_" for char in track.name)
        if name not in self._past:
            chunk = round(self.chunk_seconds / TICK)
            place = self.folder, f"{self.prefix}{name}", track
            self._past[name] = TrackFiles(*place, self.keep, chunk, first_number(), self.has_parts)
        self._past[name].begin(track)
        return self._past[name]

    def _cut_video(self, files: TrackFiles, packet: LivePacket) -> None:
        if files.start_pts is None or not packet.is_key:
            return
        if float((packet.pts - files.start_pts) * TICK) >= _EARLY * self.segment_seconds:
            if files is self.tracks[0]:
                self._cuts.append(packet.pts)
            self._finish(files, packet)

    def _cut_audio(self, files: TrackFiles, packet: LivePacket) -> None:
        while self._cuts and packet.pts >= self._cuts[0]:
            self._cuts.popleft()
            self._finish(files, packet)

    def _finish(self, files: TrackFiles, following: LivePacket | None = None) -> None:
        segment = files.finish(following)
        if segment is not None:
            self.publish(files, segment)

    def _finish_all(self) -> None:
        for files in self.tracks:
            self._finish(files)
