"""Offsets from a map, encoded by plain PyAV, and what became of them: python verify_other.py IN MAP.png OUT.mp4

The encoder is not stcodec's: only the offsets are attached. `verify` reads them back from the finished file.
"""

import sys

import av

import stcodec
from stcodec import roi
from stcodec.media.maps import read_maps
from stcodec.options import OffsetPolicy
from stcodec.qp import QpLaw

policy = OffsetPolicy(floor=0.15)  # offsets that stand out from the encoder's own adaptive QP
source, saliency_map, target = sys.argv[1:4]
_, saliency = next(read_maps(saliency_map))
with av.open(source) as container, av.open(target, "w") as output:
    video = container.streams.video[0]
    stream = output.add_stream("libx264", rate=video.average_rate, options={"crf": "28", "preset": "veryfast"})
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
    for frame in container.decode(video):
        roi.attach(frame, QpLaw(roi.block_grid(frame), policy)(saliency))
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))

found = stcodec.verify(target, maps=saliency_map, policy=policy)
print(f"{found.verdict}: {found.slope:.2f} QP steps for each that was asked for, on {found.blocks} blocks")
