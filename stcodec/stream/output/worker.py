"""Worker of a target: its thread, its queue, and reconnecting when it is lost."""

from __future__ import annotations

import threading
import time

from av.error import FFmpegError

from stcodec.errors import MediaError
from stcodec.media.paths import display_name
from stcodec.stream.observe.snapshot import TargetCondition, TargetState
from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.queue import PacketQueue
from stcodec.stream.output.sender import ReaderGoneError, Sender
from stcodec.stream.packet import LivePacket, Track, Tracks

_LOST = (OSError, FFmpegError, MediaError)
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 8.0
_LATE_SECONDS = 3.0
_STEADY_SECONDS = 5.0
"""A connection that held so long was a good one: the next wait is short again."""
_LAST_WORDS_SECONDS = 1.0


class TargetWorker:
    """A `Target` that feeds a `Sender`."""

    def __init__(
        self, address: TargetAddress, tracks: Tracks, sender: Sender, *, queue_seconds: float = 4.0, waits: bool = False
    ) -> None:
        """waits: `put` waits for a target that is open but slow, instead of dropping what it can't take."""
        self._address = address
        self._tracks = tracks
        self._sender = sender
        self._queue = PacketQueue(tracks, queue_seconds, waits=waits)
        self._waits = waits
        self._closing = threading.Event()
        self._condition: TargetCondition = "connecting"
        self._message = self._reason = ""
        self._wait_seconds = _FIRST_WAIT_SECONDS
        self._connections = 0
        self._unanswered = 0
        """Packets that went out, and nobody has said yet that he took them."""
        self._lost = ""
        """The reason why it was lost, until it takes a packet again."""
        self._thread = threading.Thread(target=self._run, name=f"target {address.shown}", daemon=True)
        self._thread.start()

    def put(self, packet: LivePacket) -> None:
        """Take a packet; the target's own thread does the rest."""
        self._queue.put(packet)

    def restart(self, tracks: tuple[Track, ...]) -> None:
        """Change the tracks from the next packet on."""
        self._queue.restart(tracks)

    def state(self) -> TargetState:
        """The current state."""
        return TargetState(
            name=display_name(self._address.shown),
            kind=self._address.kind,
            condition=self._condition,
            bytes=self._sender.bytes,
            packets_dropped=self._queue.dropped,
            reconnects=max(0, self._connections - 1),
            message=display_name(self._message),
            reason=display_name(self._reason),
        )

    def close(self, seconds: float) -> None:
        """End properly with what was put, in so many seconds or else at once."""
        self._closing.set()
        self._queue.close()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._queue.clear()
            self._sender.interrupt()
            self._thread.join(_LAST_WORDS_SECONDS)
            self._set("failed", self._message or f"did not end within {seconds:g} s and was cut off")

    def _run(self) -> None:
        try:
            while not self._send():
                pass
        except ReaderGoneError as end:
            self._sender.abandon()
            self._set("closed", str(end))
        except Exception as error:  # a fault of ours, too, must not end more than this target
            self._sender.abandon()
            self._set("failed", self._said(error))
        finally:
            self._queue.close()
            self._queue.clear()

    def _send(self) -> bool:
        """Open the target and send until the end, or until it is lost; whether it is over."""
        try:
            self._open()
            self._send_all()
        except _LOST as error:
            self._lost = self._said(error)
            self._sender.abandon()
            self._queue.count_dropped(self._unanswered)
            self._unanswered = 0
            if self._closing.is_set():
                self._set("failed", self._lost)
                return True
            self._wait()
            return False
        if self._lost:
            self._set("failed", self._lost)
        else:
            self._set("closed", self._message)
        return True

    def _open(self) -> None:
        if self._condition == "retrying":
            self._tracks = self._queue.skip_to_newest_key() or self._tracks
        self._opened_at = time.monotonic()
        self._sender.open(self._tracks)
        self._note_connection()

    def _send_all(self) -> None:
        while True:
            item = self._queue.get(0.5)
            if isinstance(item, LivePacket):
                self._unanswered += 1
                self._sender.write(item)
            elif item is not None:
                self._tracks = item
                self._sender.change(item)
            elif self._queue.is_done:
                self._sender.close()
                return
            self._note_connection()

    def _note_connection(self) -> None:
        if not self._sender.is_connected:
            return
        if self._unanswered:
            self._unanswered, self._lost = 0, ""
        if self._condition != "open":
            self._connections += 1
            if time.monotonic() - self._opened_at > _LATE_SECONDS:
                self._skip()
            self._queue.set_waits(self._waits)
            self._set("open", self._message)

    def _skip(self) -> None:
        """Skip to the newest key frame for a reader that took long to connect."""
        if tracks := self._queue.skip_to_newest_key():
            self._tracks = tracks
            self._sender.change(tracks)

    def _wait(self) -> None:
        """Say what is wrong, and stay away for a while: twice as long as the last time if that did not help."""
        if self._condition == "open" and time.monotonic() - self._opened_at > _STEADY_SECONDS:
            self._wait_seconds = _FIRST_WAIT_SECONDS
        self._set("retrying", f"{self._lost}; trying again in {self._wait_seconds:g} s", self._lost)
        self._queue.set_waits(False)
        self._closing.wait(self._wait_seconds)
        self._wait_seconds = min(2 * self._wait_seconds, _LONGEST_WAIT_SECONDS)

    def _said(self, error: Exception) -> str:
        return self._address.hide(str(getattr(error, "strerror", None) or error or type(error).__name__))

    def _set(self, condition: TargetCondition, message: str, reason: str | None = None) -> None:
        """reason: of the message, if that says more."""
        self._message, self._reason = message, message if reason is None else reason
        self._condition = condition
