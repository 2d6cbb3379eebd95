"""A loop of your own: decode, attend, offsets, encode, mux.

python examples/own_loop.py IN OUT
"""

import sys

import stcodec


def main(source: str, output: str) -> None:
    """Encode a video with quality where things move; audio and everything else is copied."""
    attention = stcodec.open_source("motion")
    assert attention is not None
    options = stcodec.EncodeOptions(encoder="libx264", crf=23, attention=attention.name)
    with stcodec.VideoReader(source, export=stcodec.export_for(attention.spec)) as reader:
        plan = stcodec.make_plan(options, reader.info)
        with stcodec.Muxer(output, plan.encoder.name, reader.info.frame_rate) as muxer:
            muxer.copy_from(reader)
            session = stcodec.EncoderSession(plan, muxer.video)
            law = stcodec.QpLaw(plan.grid, options.policy)
            frames = reader.frames(on_packet=muxer.write_copy)
            for frame, blocks in stcodec.frames_with_maps(frames, reader.info, attention, law.blocks):
                muxer.write_video(session.send(frame, law.offsets(blocks)))
            muxer.write_video(session.flush())


if __name__ == "__main__":
    main(*sys.argv[1:])
