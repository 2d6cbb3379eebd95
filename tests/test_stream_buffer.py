"""The decoder's buffer does not run empty when an encoder takes over from another in the middle of a stream."""

from __future__ import annotations

from fractions import Fraction

from coding import frames_for

from stcodec.encoders.session import EncoderSession
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.packet import TICK
from stcodec.stream.plans import going_on, live_plan
from stcodec.stream.vbv import LeakyBucket
from stcodec.types import VideoInfo

SIZE, FPS = (320, 180), 25
RENDITION = Rendition(None, 100.0)
OPTIONS = StreamOptions("source", ("target.ts",), renditions=(RENDITION,), attention="none")
CHANGE = 110
"""When it comes, the buffer is a third full."""


def test_an_encoder_that_takes_over_knows_how_full_the_buffer_is() -> None:
    video = VideoInfo(*SIZE, TICK, Fraction(FPS), None, None, "yuv420p", 8, "h264")
    bucket = LeakyBucket(1000 * RENDITION.peak_kbps, 1000 * RENDITION.buffer_kbit)
    session = EncoderSession(live_plan(OPTIONS, RENDITION, video, "veryfast"))
    for number, frame in enumerate(frames_for(SIZE, CHANGE + FPS)):
        if number == CHANGE:
            assert bucket.underflows == 0
            assert bucket.fill < 0.5
            plan = live_plan(OPTIONS, RENDITION, video, "superfast")
            session = EncoderSession(going_on(plan, RENDITION, bucket.fill))
        frame.pts, frame.time_base = round(number / FPS / TICK), TICK
        for packet in session.send(frame, None, key=number % FPS == 0 or number == CHANGE):
            assert packet.pts is not None
            bucket.take(packet.pts, packet.size)
    assert bucket.underflows == 0
