"""Encode what a VapourSynth script makes, with attention: python vapoursynth_offsets.py SCRIPT.vpy OUT.mp4 [ATTENTION]

ATTENTION is any source of attention (neural; map:FILE with maps of the script's result, not of its source). The script's
output 0 must be YUV420P8 of even size and constant frame rate. In a script of your own, take `pictures` and `encode`.
"""

import runpy
import sys
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import vapoursynth

import stcodec


def pictures(clip: vapoursynth.VideoNode) -> Iterator[av.VideoFrame]:
    """Frames of a clip as PyAV's, which are copies."""
    for number, frame in enumerate(clip.frames(close=True)):
        planes = np.concatenate([np.asarray(plane).ravel() for plane in frame])
        picture = av.VideoFrame.from_ndarray(planes.reshape(-1, clip.width), "yuv420p")
        picture.pts, picture.time_base = number, 1 / Fraction(clip.fps)
        yield picture


def encode(clip: vapoursynth.VideoNode, output: str, attention: str = "neural", crf: float = 23) -> None:
    """Encode a clip with libx264; every block of every frame gets its QP offset."""
    if clip.format.id != vapoursynth.YUV420P8 or clip.width % 2 or clip.height % 2 or not clip.fps:
        raise SystemExit(
            f"YUV420P8 of even size and constant frame rate is needed, not {clip.format.name} of {clip.fps} fps"
        )
    rate = Fraction(clip.fps)
    video = stcodec.VideoInfo(clip.width, clip.height, 1 / rate, rate, None, len(clip), "yuv420p", 8, "rawvideo")
    source = stcodec.open_source(attention)
    assert source is not None, "attention none has no maps"
    plan = stcodec.make_plan(stcodec.EncodeOptions(crf=crf, attention=attention), video)
    law = stcodec.QpLaw(plan.grid, stcodec.OffsetPolicy())
    with stcodec.Muxer(output, plan.encoder.name, rate) as muxer:
        session = stcodec.EncoderSession(plan, muxer.video)
        for frame, blocks in stcodec.frames_with_maps(pictures(clip), video, source, law.blocks):
            muxer.write_video(session.send(frame, law.offsets(blocks)))
        muxer.write_video(session.flush())


if __name__ == "__main__":
    script, target, *named = sys.argv[1:]
    runpy.run_path(script, run_name="__vapoursynth__")
    encode(vapoursynth.get_output(0)[0], target, named[0] if named else "neural")
