"""The output file: the new video, and everything else of the input as it was, or a message on what is lost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.keep import KeepOptions
from stcodec.media.container_facts import data_names
from stcodec.media.copies import QUICKTIME, StreamCopies
from stcodec.media.decode import VideoReader
from stcodec.media.holds import lost_tags
from stcodec.media.libav import add_side_data
from stcodec.media.losses import picture_losses, side_data_losses
from stcodec.media.paths import display_name, file_error, local_url
from stcodec.media.quicktime_keys import change_index, place_holder, write_keys
from stcodec.media.surround import keeps_surround, stereo_mode, without_vexu
from stcodec.media.tags import kept_tags, stream_tags
from stcodec.media.truncation import has_index_first


class Muxer:
    """An output file with one encoded video stream and copies of all other streams that the container takes."""

    def __init__(
        self, path: str | os.PathLike[str], encoder: str, rate: Fraction | None, *, shown_name: str | None = None
    ) -> None:
        """encoder: ffmpeg's name; rate: frames per second, None = unknown; shown_name: the file's in messages.

        A file that is there is replaced. Raises MediaError.
        """
        self._path = path = Path(path)
        self.name = display_name(path) if shown_name is None else shown_name
        self.messages: list[str] = []
        """Parts of the input that are not in the output, or only in another format."""
        self._keys: Mapping[str, str] = {}
        """Tags that are put in when the file is finished."""
        self._seen_as: Mapping[str, bytes] = {}
        """Side data of the video's track that is put in when the header is written."""
        self._source: VideoReader | None = None
        self._copies: StreamCopies | None = None
        self._lead_ticks: int | None = None
        """Of the first packet: how long before it is shown it is decoded."""
        self._end_pts = 0
        self._has_begun = False
        try:
            # By the name alone ffmpeg would choose "ipod", which has no place for titles and covers.
            container_format = "mp4" if path.suffix.lower() == ".m4v" else None
            self._container: OutputContainer = av.open(local_url(path), "w", format=container_format)
            video = self._container.add_stream(encoder, rate=rate or Fraction(25))
        except (FFmpegError, OSError, ValueError) as error:
            ending = path.suffix or "a file without ending"
            raise MediaError(f"{self.name}: can't be written as {ending} ({error})") from None
        assert isinstance(video, VideoStream)
        self.video = video
        if self._container.format.name in QUICKTIME and video.codec_context.codec.canonical_name == "hevc":
            video.codec_context.codec_tag = "hvc1"  # Apple's players take no other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._container.close()
            if self._keys and error is None:
                write_keys(self._path, self._keys)
            if self._seen_as and self._container.format.name == "mp4" and error is None:
                change_index(self._path, without_vexu)
        except (FFmpegError, OSError) as failure:
            if error is None:
                raise self._write_error(failure) from None

    def copy_from(self, reader: VideoReader, keep: KeepOptions | None = None) -> None:
        """Declare copies of all other streams, tags, chapters, and the display matrix. Call before the first packet.

        keep: what is copied, encoded or left out; None = all is copied that can be. Raises OptionsError.
        """
        keep = keep or KeepOptions()
        self.video.metadata.update(stream_tags(reader.stream.metadata, strip_location=keep.strip_location))
        self.video.disposition = reader.stream.disposition
        if reader.display_matrix is not None:
            self.video.set_display_matrix(reader.display_matrix)
        self._source = reader
        self._copies = StreamCopies(self._container, self.name, keep)
        streams = reader.other_streams()
        has_data = any(stream.type not in ("audio", "video", "subtitle") for stream in streams)
        self._copies.declare(streams, reader.cover_pictures, data_names(reader.path) if has_data else {})
        self.messages += self._copies.messages
        self._set_surround(reader)
        self.messages += picture_losses(reader, self._container.format.name, self.video, self._seen_as)
        tags = kept_tags(reader.container.metadata, strip_location=keep.strip_location)
        chapters = reader.chapters()
        if (tags or chapters) and self._container.format.name == "mpegts":
            self.messages.append("tags and chapters are dropped: mpegts can't hold them")
            return
        self._set_tags(tags)
        if self._container.format.name in QUICKTIME:
            self._set_flags(reader, keep)
        if chapters:
            self._container.set_chapters(chapters)

    def _set_surround(self, reader: VideoReader) -> None:
        """Set that the picture is of two eyes, or of all around, where the container has a place for it."""
        found = reader.surround if keeps_surround(reader.view.filters) else {}
        if self._container.format.name == "mp4":
            self._seen_as = found
        elif mode := stereo_mode(found, self._container.format.name):
            self.video.metadata["stereo_mode"] = mode
            self._seen_as = {"STEREO3D": found["STEREO3D"]}
        if self._seen_as:
            self._container.container_options["strict"] = "unofficial"  # MP4's boxes for it are Google's, no standard

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, in MP4 and MOV those that have no place of their own among QuickTime's keys."""
        container = self._container.format.name
        free = lost_tags(container, tags) if container in QUICKTIME else {}
        own = {key: value for key, value in tags.items() if key not in free}
        self._container.metadata.update(own)
        if not free:
            return
        place = place_holder(container, own, free)
        if place is None:
            self.messages.append(f"tags are dropped: {container} has no place for {', '.join(free)}")
        else:
            self._container.metadata.update(place)
            self._keys = free

    def _set_flags(self, reader: VideoReader, keep: KeepOptions) -> None:
        """Set where the index goes."""
        flags = ""
        if keep.fragmented:
            flags += "+frag_keyframe+delay_moov+default_base_moof"
        elif has_index_first(reader.path) is not False if keep.faststart is None else keep.faststart:
            flags += "+faststart"
        if flags:
            self._container.container_options["movflags"] = flags

    def write_video(self, packets: Iterable[Packet[Any]]) -> None:
        """Write packets of the encoded video."""
        for packet in packets:
            if packet.pts is not None and packet.dts is not None:
                self._lead_ticks = packet.pts - packet.dts if self._lead_ticks is None else self._lead_ticks
                self._end_pts = max(self._end_pts, packet.pts + (packet.duration or 0))
            self._mux(packet)

    def end_video(self, packets: Iterable[Packet[Any]]) -> None:
        """Write the last packets of the encoded video, and of the copies; `messages` says what was lost of them.

        MP4 keeps lengths in decoding order: the last packet's has to reach to the end of the frame that is shown last.
        """
        last = list(packets)
        if last and self._container.format.name in ("mp4", "mov"):
            first = last[0]
            lead = (first.pts or 0) - (first.dts or 0) if self._lead_ticks is None else self._lead_ticks
            end = max(self._end_pts, *((one.pts or 0) + (one.duration or 0) for one in last))
            last[-1].duration = max(last[-1].duration or 0, end - lead - (last[-1].dts or 0))
        self.write_video(last)
        if self._source is not None:
            late = side_data_losses(self._source.side_data, self.video, self._seen_as)
            self.messages += [message for message in late if message not in self.messages]
        if self._copies is not None and self._has_begun:
            said = len(self._copies.messages)
            for packet in self._copies.finish():
                self._mux(packet)
            self.messages += self._copies.messages[said:]

    def write_copy(self, packet: Packet[Any]) -> None:
        """Write a packet of another stream of the input; ignored if that stream is not copied."""
        if self._copies is None:
            return
        try:
            for ready in self._copies.ready(packet):
                self._container.mux_one(ready)
        except (FFmpegError, OSError) as error:
            if packet.stream.type != "data":
                raise self._write_error(error) from None
            self.messages.append(self._copies.drop(packet.stream, str(error)))

    def _mux(self, packet: Packet[Any]) -> None:
        try:
            if not self._has_begun:
                self._has_begun = True
                self._container.start_encoding()
                lost = [name for name, content in self._seen_as.items() if not add_side_data(self.video, name, content)]
                self.messages += side_data_losses(lost, self.video)
            self._container.mux_one(packet)
        except (FFmpegError, OSError) as error:
            raise self._write_error(error) from None

    def _write_error(self, error: Exception) -> MediaError:
        return file_error(self.name, "writing failed", error, "; nothing was left behind")
