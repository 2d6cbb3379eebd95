"""The decoder's buffer does not run empty when an encoder takes over from another in the middle of a stream."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from coding import frames_for

from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.session import EncoderSession
from stcodec.stream.observe.gauges import LeakyBucket
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.packet import TICK
from stcodec.stream.plans import continued_plan, live_plan
from stcodec.types import VideoInfo

SIZE, FPS = (320, 180), 25
RENDITION = Rendition(None, 100.0)
OPTIONS = StreamOptions("source", ("target.ts",), renditions=(RENDITION,), attention="none")
CHANGE = 102
"""When it comes, the buffer is less than a quarter full."""


def one_thread(plan: EncoderPlan) -> EncoderPlan:
    """Several spend the bits of a frame differently from time to time."""
    return replace(plan, threads=1)


def bucket_after(*, goes_on: bool) -> LeakyBucket:
    """Encode, take an easier preset, and encode on."""
    video = VideoInfo(*SIZE, TICK, Fraction(FPS), None, None, "yuv420p", 8, "h264")
    bucket = LeakyBucket(1000 * RENDITION.peak_kbps, 1000 * RENDITION.buffer_kbit)
    session = EncoderSession(one_thread(live_plan(OPTIONS, RENDITION, video, "veryfast")))
    for number, frame in enumerate(frames_for(SIZE, CHANGE + FPS)):
        if number == CHANGE:
            assert bucket.underflows == 0
            assert bucket.fill < 0.25
            plan = one_thread(live_plan(OPTIONS, RENDITION, video, "superfast"))
            session = EncoderSession(continued_plan(plan, RENDITION, bucket.fill) if goes_on else plan)
        frame.pts, frame.time_base = round(number / FPS / TICK), TICK
        for packet in session.send(frame, None, key=number % FPS == 0 or number == CHANGE):
            assert packet.pts is not None
            bucket.take(packet.pts, packet.size)
    return bucket


def test_an_encoder_that_takes_over_knows_how_full_the_buffer_is() -> None:
    assert bucket_after(goes_on=True).underflows == 0
    assert bucket_after(goes_on=False).underflows > 0  # what would be without
