"""What goes wrong on the way in, each fault survived: the source, its clock, its picture, and attention."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import live_source
import numpy as np
import pytest
from live_rigs import wait_until
from live_source import feeding, flashes_and_tones, go_away, make_flashing_ts, play, stall
from steady import undisturbed

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.attention.center import CenterSource
from stcodec.errors import MediaError
from stcodec.stream.attend import Patience
from stcodec.stream.audio import LiveAudio
from stcodec.stream.input.reader import AudioIn
from stcodec.stream.input.timeline import TICKS_PER_SECOND, StreamTimeline
from stcodec.stream.observe.snapshot import StreamSnapshot
from stcodec.stream.options import AudioChoice, Rendition, StreamOptions
from stcodec.stream.stream import LiveStream
from stcodec.types import Clip, ClipSpec, SaliencyTrack, VideoInfo


@pytest.fixture(scope="module")
def early(videos: Path) -> Path:
    """Two seconds of flashes and tones, from 10 s on by its clock."""
    return make_flashing_ts(videos / "early.ts")


@pytest.fixture(scope="module")
def late(videos: Path) -> Path:
    """The same by a clock that is hours ahead."""
    return make_flashing_ts(videos / "late.ts", start_seconds=50_000)


@contextmanager
def live(source: str, out: Path, **fields: object) -> Iterator[LiveStream]:
    """A stream of a live source into a file."""
    given = {"renditions": (Rendition(180, 400.0),), "attention": "center", "max_latency_seconds": 5.0, **fields}
    options = StreamOptions(source, (str(out),), **given)  # type: ignore[arg-type]
    with LiveStream(options) as running:
        yield running


def stream_acts(out: Path, *acts: live_source.Act, frames: int, **fields: object) -> StreamSnapshot:
    """Play the acts to a stream until so many frames have come in; how it was then."""

    def run() -> StreamSnapshot:
        out.unlink(missing_ok=True)
        with feeding(*acts) as feed, live(feed.url, out, **fields) as running:
            assert feed.played.wait(120)
            wait_until(lambda: running.snapshot().frames_in >= frames, f"{frames} frames come in")
            running.check()
            return running.snapshot()

    return undisturbed(run)


def steps(path: Path) -> list[float]:
    """Seconds between the frames of a file."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return [b - a for a, b in pairwise(times)]


def sound_steps(path: Path) -> list[float]:
    """Seconds between the packets of audio in a file, each of which decodes."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(audio=0) if frame.time is not None]
    return [b - a for a, b in pairwise(times)]


# --- the source -----------------------------------------------------------------------------------------------------


def test_a_stall_is_filled_with_the_last_picture_and_ends_where_the_source_goes_on(early: Path, tmp_path: Path) -> None:
    seen = stream_acts(tmp_path / "out.ts", play(early, speed=2), stall(1.0), play(early, speed=2), frames=97)
    found = steps(tmp_path / "out.ts")
    assert seen.source_reconnects == 0 and len(found) + 1 > 100 + 5  # in the file: an encoder may be behind what came in
    assert max(found) < 0.8  # half a second of patience, then a frame a frame
    flashes, tones = flashes_and_tones(tmp_path / "out.ts")
    assert len(flashes) == 4 and tones == pytest.approx(flashes, abs=0.04)
    assert max(sound_steps(tmp_path / "out.ts")) < 0.1  # silence stands in for the audio
    assert flashes[2] - flashes[1] > 1.5  # the time that it took is in the time of the stream


@pytest.mark.parametrize("way", ["auto", "aac"])
def test_sound_that_is_missing_is_silence(early: Path, way: AudioChoice) -> None:
    """Whether it is copied or encoded: as many packets, on the grid of those before."""
    with av.open(str(early)) as container:
        stream = container.streams.audio[0]
        audio = LiveAudio(stream, StreamOptions("source", ("out.ts",), audio=way), 1)
        timeline = StreamTimeline()
        given = [
            packet.pts
            for number, one in enumerate(container.demux(stream))
            if one.size and not 20 <= number < 30
            for packet in audio.packets(AudioIn(one, stream, 0.0), timeline, None)
        ]
    length = 1024 * TICKS_PER_SECOND // 48000
    assert len(given) > 60 and set(np.diff(given)) == {length}


def test_a_source_that_goes_away_is_opened_again(early: Path, late: Path, tmp_path: Path) -> None:
    seen = stream_acts(tmp_path / "out.ts", play(early, speed=2), go_away(0.7), play(late, speed=2), frames=95)
    assert seen.source_reconnects == 1 and seen.source_condition in ("open", "retrying")
    assert seen.timestamp_jumps == 0  # another clock after an interruption is none
    found = steps(tmp_path / "out.ts")
    assert min(found) > 0 and max(found) < 0.8
    assert max(sound_steps(tmp_path / "out.ts")) < 0.1
    flashes, tones = flashes_and_tones(tmp_path / "out.ts")
    assert len(flashes) == 4 and tones == pytest.approx(flashes, abs=0.04)


def test_a_source_that_says_nothing_for_too_long_is_opened_again(early: Path, tmp_path: Path) -> None:
    """The line stays up; only a new connection brings it back."""

    def leave_hanging(feed: live_source.Feed) -> None:
        feed.rest(1.0)
        feed.hang_up()

    seen = stream_acts(
        tmp_path / "out.ts", play(early, speed=2), leave_hanging, play(early, speed=2), frames=95, stall_seconds=0.6
    )
    assert seen.source_reconnects >= 1
    assert max(steps(tmp_path / "out.ts")) < 0.8


def test_a_source_that_stays_away_ends_the_stream_with_a_reason(early: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    with feeding(play(early, speed=4), go_away(30)) as feed, pytest.raises(MediaError, match=r"stayed away for 0\.5 s"):  # noqa: SIM117
        with live(feed.url, out, give_up_seconds=0.5) as running:
            running.wait()
    assert len(steps(out)) > 40


def test_a_looped_file_that_vanishes_ends_the_stream_with_a_reason(video: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "video.mp4", tmp_path / "out.ts"
    source.write_bytes(video.read_bytes())
    with pytest.raises(MediaError, match="can't be"), live(str(source), out, loops=True, is_paced=False) as running:
        source.unlink()
        running.wait()
    assert len(steps(out)) >= 29


@pytest.mark.parametrize("way", ["ahead", "back"])
def test_a_jump_of_the_clock_leaves_no_gap_and_sound_stays_with_the_picture(
    early: Path, late: Path, tmp_path: Path, way: str
) -> None:
    first, second = (early, late) if way == "ahead" else (late, early)
    seen = stream_acts(tmp_path / "out.ts", play(first, speed=3), play(second, speed=3), frames=97)
    assert seen.timestamp_jumps == 1 and seen.source_reconnects == 0
    assert max(steps(tmp_path / "out.ts")) < 0.5
    flashes, tones = flashes_and_tones(tmp_path / "out.ts")
    assert len(flashes) == 4 and tones == pytest.approx(flashes, abs=0.04)
    assert np.diff(flashes) == pytest.approx([1, 1, 1], abs=0.35)


def test_another_size_is_fitted_into_the_first(early: Path, videos: Path, tmp_path: Path) -> None:
    square = make_flashing_ts(videos / "square.ts", size=(240, 240), start_seconds=12.0)
    seen = stream_acts(tmp_path / "out.ts", play(early, speed=3), play(square, speed=3), frames=96)
    assert seen.frames_damaged < 5
    with av.open(str(tmp_path / "out.ts")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert {one.shape for one in frames} == {(180, 320)}
    assert float(frames[10][:, :40].mean()) > 40
    assert float(frames[-20][:, :60].max()) < 40 and float(frames[-20][:, 80:240].mean()) > 40  # black beside it


def test_another_frame_rate_is_what_the_encoder_reckons_with(early: Path, videos: Path, tmp_path: Path) -> None:
    fast = make_flashing_ts(videos / "fast.ts", fps=50, start_seconds=12.0)
    with feeding(play(early, speed=3), play(fast, speed=3)) as feed, live(feed.url, tmp_path / "out.ts") as running:
        assert feed.played.wait(120)
        wait_until(lambda: running.snapshot().frames_in >= 140, "all frames come in")
        rates = [track.frame_rate for track in running.tracks if track.kind == "video"]
    assert rates == [50]
    found = steps(tmp_path / "out.ts")
    assert found[10] == pytest.approx(0.04) and found[-10] == pytest.approx(0.02)
    assert max(found) < 0.5


def test_lost_packets_are_survived_and_counted(early: Path, tmp_path: Path) -> None:
    seen = stream_acts(
        tmp_path / "out.ts", play(early, damage=live_source.lose_packets, speed=3), play(early, speed=3), frames=80
    )
    assert seen.frames_damaged > 0
    assert len(steps(tmp_path / "out.ts")) > 70


# --- attention ------------------------------------------------------------------------------------------------------


class FaultySource(AttentionSource):
    """Looks at the centre until it is told to fail."""

    name = "faulty"
    spec = ClipSpec(maps_per_second=10, thumbnail_side_px=64)

    def __init__(self, fault: Callable[[], None]) -> None:
        self._fault = fault

    def open(self, video: VideoInfo) -> AttentionSession:
        return _FaultySession(CenterSource().open(video), self._fault)


class _FaultySession(AttentionSession):
    def __init__(self, session: AttentionSession, fault: Callable[[], None]) -> None:
        self._session = session
        self._fault = fault

    def attend(self, clip: Clip) -> SaliencyTrack:
        self._fault()
        return self._session.attend(clip)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", ["fails", "dies", "hangs"])
def test_attention_that_ends_begins_anew_and_no_frame_waits_for_it(video: Path, tmp_path: Path, kind: str) -> None:
    broken, released = threading.Event(), threading.Event()

    def fault() -> None:
        if not broken.is_set() or threading.current_thread().name != "attention":
            return
        if kind == "hangs":
            released.wait(120)
        else:
            raise (RuntimeError("no\nmore") if kind == "fails" else SystemExit)

    options = StreamOptions(
        str(video), (str(tmp_path / "out.ts"),), (Rendition(180, 400.0),), max_latency_seconds=5.0, loops=True
    )
    with LiveStream(
        options,
        open_attention=lambda text: (FaultySource(fault), lambda: FaultySource(fault)),
        patience=Patience(0.5, 0.5),
    ) as running:

        def watch(condition: Callable[[StreamSnapshot], bool], what: str) -> StreamSnapshot:
            def met() -> bool:
                running.check()
                return condition(running.snapshot())

            wait_until(met, what)
            return running.snapshot()

        watch(lambda now: now.maps > 3 and now.map_condition == "fresh", "maps are made")
        broken.set()
        aged = watch(lambda now: now.attention_restarts >= 1 and now.map_condition != "fresh", "attention is begun anew")
        assert aged.renditions[0].fps > 10 and aged.renditions[0].frames_dropped == 0
        broken.clear()
        released.set()
        again = watch(lambda now: now.maps > aged.maps + 3 and now.map_condition == "fresh", "maps are made again")
    assert again.renditions[0].frames_dropped == 0
    assert again.attention_message == {"fails": "no", "dies": "its thread died", "hangs": "no map for 0.5 s"}[kind]
    assert max(steps(tmp_path / "out.ts")) < 0.1
