"""A live stream from end to end: `run_stream`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from stcodec import interrupts
from stcodec.attention.base import AttentionSource
from stcodec.encoders.session import EncoderSession
from stcodec.errors import MediaError, check_choice
from stcodec.media.clips import export_for
from stcodec.media.paths import display_name
from stcodec.stream.attend import PATIENCE, Attention, Patience
from stcodec.stream.audio import LiveAudio
from stcodec.stream.bank import EncoderBank
from stcodec.stream.director import Director
from stcodec.stream.encode import RenditionEncoder, rendition_name
from stcodec.stream.input.pace import plausible
from stcodec.stream.input.reader import Reader
from stcodec.stream.input.sources import source_address
from stcodec.stream.live_attention import live_source, warm_up
from stcodec.stream.observe.preview import Previews
from stcodec.stream.observe.readback import ReadBack
from stcodec.stream.observe.snapshot import LivePreview, StreamSnapshot
from stcodec.stream.options import StreamOptions
from stcodec.stream.output.fan import Fan
from stcodec.stream.output.targets import Targets, check_first_connections
from stcodec.stream.packet import Target, Track
from stcodec.stream.plans import easier_presets, encoded_video, first_preset, live_plan

_CHECK_SECONDS = 0.1
_FIRST_CONNECTION_SECONDS = 15.0
"""A target that can't be reached in this time of the start is a mistake; later it is waited for."""
_FLUSH_SECONDS = 5.0
_CLOSE_SECONDS = 5.0


class LiveStream:
    """A live stream with an open source and open encoders. As a context it begins on entering and ends on leaving."""

    def __init__(
        self,
        options: StreamOptions,
        *,
        open_attention: Callable[[str], tuple[AttentionSource | None, Callable[[], AttentionSource]]] = live_source,
        patience: Patience = PATIENCE,
    ) -> None:
        """Open the source, the encoders and the targets. Raises a StcodecError, in one line, before anything is sent.

        open_attention: opens the source of attention that the options name; patience: with a source that hangs.
        """
        easier_presets(options)  # checks the encoder and the preset
        targets = Targets(options)
        address = source_address(options.source, options.input_options)
        source, reopen_source = open_attention(options.attention)
        self._options = options
        self._reader = Reader(address, options, export_for(source.spec) if source is not None else "")
        self._targets: Sequence[Target] = []
        self._attention: Attention | None = None
        self._read_back = ReadBack()
        self._started = time.monotonic()
        self._turning = threading.Lock()
        self._has_begun, self._has_ended = False, False
        try:
            self._build(source, reopen_source, patience, targets)
        except BaseException:
            self._reader.stop()
            self._end_parts()
            raise

    def _build(
        self,
        source: AttentionSource | None,
        reopen_source: Callable[[], AttentionSource],
        patience: Patience,
        targets: Targets,
    ) -> None:
        options, reader = self._options, self._reader
        canvas = encoded_video(reader.video, plausible(reader.video.frame_rate))
        preset = first_preset(options)
        sessions = [EncoderSession(live_plan(options, one, canvas, preset)) for one in options.renditions]
        if source is not None:
            warm_up(source, canvas)  # a source that does not fit says so now
            self._attention = Attention(reopen_source, source, canvas, options.policy.smoothing_seconds, patience)
        self._encoders = [
            RenditionEncoder(index, rendition, session, preset, options.policy, self._attention)
            for index, (rendition, session) in enumerate(zip(options.renditions, sessions, strict=True))
        ]
        audio = None if reader.audio is None else LiveAudio(reader.audio, options, len(self._encoders))
        tracks = tuple(one.track for one in self._encoders) + (() if audio is None else (audio.track,))
        self._targets = targets.open(tracks)
        self._fan = Fan(self._targets, tracks)
        self._bank = EncoderBank(options, self._encoders, canvas)
        self._director = Director(options, reader, canvas, self._bank, self._fan, audio, self._attention)
        self._previews = Previews(self._director, self._encoders[0])
        for encoder in self._encoders:
            encoder.on_key = partial(self._read_back.offer, encoder.index)
        if self._attention is not None:
            self._attention.may_run = self._attention_has_its_turn

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> None:
        """Begin to encode; entering the context does it."""
        with self._turning:
            if self._has_ended:
                return
            self._has_begun = True
            self._started = time.monotonic()
            for encoder in self._encoders:
                encoder.start(self._fan)
            self._director.start()

    def end(self) -> None:
        """End files and playlists properly; leaving the context does it."""
        with self._turning:
            if self._has_ended:
                return
            self._has_ended = True
            if self._has_begun:
                self._director.stop()
                for encoder in self._encoders:
                    encoder.finish(_FLUSH_SECONDS)
            else:
                self._reader.stop()
        self._end_parts()

    def _end_parts(self) -> None:
        """End the parts that run from the start, except the source, which the director stops."""
        if self._attention is not None:
            self._attention.close()
        self._read_back.close()
        closing = [threading.Thread(target=one.close, args=(_CLOSE_SECONDS,), daemon=True) for one in self._targets]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(_CLOSE_SECONDS + 1)

    def wait(self) -> None:
        """Wait until the stream ends by itself. Raises the error that ended it, if there was one."""
        while not self._director.ended.wait(_CHECK_SECONDS):
            interrupts.check()
            self.check()
        self.check()
        if self._reader.condition == "failed":
            raise MediaError(f"{self._reader.address.shown}: {self._reader.message}")

    def check(self) -> None:
        """Repair what can be repaired; call it often while waiting. Raises an error that ends the stream."""
        if self._attention is not None:
            self._attention.check(time.monotonic())
        if time.monotonic() - self._started < _FIRST_CONNECTION_SECONDS:
            check_first_connections(self._targets)
        for error in (self._director.error, *(one.error for one in self._encoders)):
            if error is not None:
                raise error

    def _attention_has_its_turn(self) -> bool:
        """Under pressure attention waits until no encoder has more than the frame at hand."""
        if not self._bank.pressure.level:
            return True
        now = time.monotonic()
        return max(one.backlog_seconds(now) for one in self._encoders) < 0.05 * self._options.max_latency_seconds

    def set_bitrate(self, kbps: float, rendition: str | None = None) -> None:
        """Encode a rendition ("360p"; None = the first) with another bitrate, at most its peak, without a new encoder.

        Raises OptionsError for a name or bitrate that it can't be, or an encoder that can't change it.
        """
        names = [rendition_name(one.plan) for one in self._encoders]
        if rendition is not None:
            check_choice("rendition", rendition, names)
        self._encoders[0 if rendition is None else names.index(rendition)].set_bitrate(kbps)

    # --- seen from outside --------------------------------------------------------------------------------------------

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks that go to the targets now."""
        return self._fan.tracks

    def preview(self) -> LivePreview | None:
        """A small picture of what goes out, and its map."""
        return self._previews.newest()

    def snapshot(self) -> StreamSnapshot:
        """The current state."""
        director, reader, first = self._director, self._reader, self._encoders[0]
        newest, attention = first.newest, self._attention
        silent = reader.condition == "open" and director.is_holding
        return StreamSnapshot(
            running_seconds=time.monotonic() - self._started,
            source=display_name(reader.address.shown),
            source_condition="stalled" if silent else reader.condition,
            source_message=display_name(reader.message),
            source_reconnects=reader.reconnects,
            timestamp_jumps=director.timeline.jumps,
            fps_in=director.fps_in.per_second(),
            frames_in=director.frames_in,
            frames_damaged=reader.damaged,
            latency_seconds=max(one.latency.newest() or 0.0 for one in self._encoders),
            latency_p99_seconds=max(one.latency.quantile(0.99) or 0.0 for one in self._encoders),
            map_condition="none" if newest is None else newest.condition,
            map_age_seconds=None if newest is None else newest.age_seconds,
            map_age_p99_seconds=first.map_age.quantile(0.99),
            maps_per_second=0.0 if attention is None else attention.rate.per_second(),
            maps=0 if attention is None else attention.made,
            attention_restarts=0 if attention is None else attention.restarts,
            pressure=self._bank.pressure.level,
            renditions=tuple(self._read_back.fill(one.index, one.state()) for one in self._encoders),
            targets=tuple(one.state() for one in self._targets),
            pressure_counts=self._bank.pressure.counts,
            attention_message="" if attention is None else display_name(attention.message),
        )


def run_stream(options: StreamOptions, *, on_start: Callable[[LiveStream], None] | None = None) -> StreamSnapshot:
    """Stream until the source ends, the duration is over, or KeyboardInterrupt; return the last snapshot.

    Files and playlists are ended properly in every case. on_start: is given the running stream, to be watched.
    Raises a StcodecError: OptionsError, MediaError, AttentionError or EncoderError.
    """
    stream = LiveStream(options)
    try:
        interrupts.ending.seconds = _FLUSH_SECONDS + _CLOSE_SECONDS + 1
        stream.begin()
        if on_start is not None:
            on_start(stream)
        stream.wait()
    finally:
        stream.end()
    return stream.snapshot()
