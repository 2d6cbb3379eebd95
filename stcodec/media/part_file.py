"""Parts of an encoded video in files of their own, and their packets as those of one video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from stcodec.errors import MediaError
from stcodec.media.paths import display_name, file_error

Arrays = Mapping[str, NDArray[Any]]


def write_part(path: Path, packets: Sequence[Packet[Any]], header: bytes, facts: Arrays) -> None:
    """Write the packets of a part in coding order, the encoder's header, and facts about it. Raises MediaError."""
    named: dict[str, Any] = {f"fact_{name}": value for name, value in facts.items()}
    try:
        with path.open("wb") as file:
            np.savez(
                file,
                pts=np.array([packet.pts for packet in packets], np.int64),
                dts=np.array([packet.dts for packet in packets], np.int64),
                durations=np.array([packet.duration or 0 for packet in packets], np.int64),
                is_key=np.array([packet.is_keyframe for packet in packets], np.bool_),
                sizes=np.array([packet.size for packet in packets], np.int64),
                content=np.frombuffer(b"".join(bytes(packet) for packet in packets), np.uint8),
                header=np.frombuffer(header, np.uint8),
                **named,
            )
    except OSError as error:
        raise file_error(path, "can't be written", error) from None


@dataclass(frozen=True)
class PartFile:
    """A part that was written."""

    path: Path

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One of its arrays. Raises MediaError."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return np.asarray(file[name])
        except (OSError, ValueError, KeyError) as error:
            raise MediaError(
                f"{display_name(self.path)}: can't be read as a part of a video ({error})", path=self.path
            ) from None

    def facts(self) -> dict[str, NDArray[Any]]:
        """Facts that were written down about it."""
        with np.load(self.path, allow_pickle=False) as file:
            return {name.removeprefix("fact_"): file[name] for name in file.files if name.startswith("fact_")}

    @property
    def header(self) -> bytes:
        """The encoder's header: parts of one video must have the same."""
        return self["header"].tobytes()


def joined_packets(parts: Sequence[PartFile], time_base: Fraction) -> Iterator[Packet[Any]]:
    """The packets of all parts, in order; presentation times as they are, decoding times of one video.

    Each part's encoder began its decoding times anew, so that those of two parts could overlap where the frame rate varies.
    Here the packet that comes nth is decoded when the nth frame, less the delay of reordering, is shown: what encoders do.
    """
    pts = np.concatenate([part["pts"] for part in parts])
    shown = np.sort(pts)
    first_dts = parts[0]["dts"]
    late = np.arange(len(pts)) - np.searchsorted(shown, pts)
    delay = max(int(late.max()), int(np.count_nonzero(first_dts < shown[0])))
    before = first_dts[:delay] if len(first_dts) >= delay else shown[0] - np.arange(delay, 0, -1)
    decoded = np.concatenate([before, shown])[: len(pts)]
    place = 0
    for part in parts:
        content = memoryview(part["content"].tobytes())
        ends = np.cumsum(part["sizes"])
        for index, (end, size) in enumerate(zip(ends, part["sizes"], strict=True)):
            packet = av.Packet(bytes(content[end - size : end]))
            packet.pts, packet.dts = int(pts[place]), int(decoded[place])
            packet.time_base = time_base
            packet.duration = int(part["durations"][index])
            packet.is_keyframe = bool(part["is_key"][index])
            yield packet
            place += 1
