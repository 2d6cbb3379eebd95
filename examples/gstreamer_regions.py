"""Attention as regions of interest in a GStreamer pipeline: python gstreamer_regions.py IN MAPS OUT.mp4

MAPS is what `stcodec maps IN rects.jsonl --export json-rects` wrote, or a source for live pipelines: center, motion, neural.
Every buffer is given `GstVideoRegionOfInterestMeta` with a QP offset each, as msdkh264enc, msdkh265enc (Intel) and the
vaapi encoders read them. x264enc and other software encoders of GStreamer read none: here the pipeline ends in an appsink,
and libx264 is given the buffers' regions by PyAV. For hardware, `! msdkh264enc ! h264parse ! mp4mux ! filesink` takes the
appsink's place; whatever converts or scales must come before `identity`, or the offsets of the regions are lost.
"""

import json
import sys
import traceback
from fractions import Fraction
from pathlib import Path

import av
import gi
import numpy as np
from numpy.typing import NDArray

import stcodec
from stcodec.pipeline.export import rectangles
from stcodec.stream.live_attention import live_source

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402

ENCODERS = "roi/msdk", "roi/vaapi"
MOST_REGIONS = 256  # that msdk takes; others are dropped without a word
PIPELINE = "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=I420 ! identity name=roi ! appsink name=end"
Region = tuple[int, int, int, int, float]  # x, y, width, height in px, QP offset
Offsets = NDArray[np.float32]  # [rows, cols] of blocks of 16 px, QP steps


class Recorded:
    """Offsets that were written to a file, by the time since the first frame."""

    def __init__(self, path: Path) -> None:
        self.frames = [json.loads(line) for line in path.read_text().splitlines()]
        self.seconds = np.array([frame["seconds"] for frame in self.frames]) - self.frames[0]["seconds"]

    def at(self, seconds: float, frame: av.VideoFrame) -> Offsets:
        rects = self.frames[int(np.abs(self.seconds - seconds).argmin())]["rects"]
        return rasterised([(one["x"], one["y"], one["width"], one["height"], 51 * one["qoffset"]) for one in rects], frame)


class Live:
    """Offsets made while the pipeline runs: a picture that is looked at waits for its map, the others have the newest."""

    def __init__(self, name: str) -> None:
        source = live_source(name)[0]
        assert source is not None, "attention none has no maps"
        self.source, self.due = source, 0.0

    def at(self, seconds: float, frame: av.VideoFrame) -> Offsets:
        if self.due == 0:
            size = frame.width, frame.height
            self.video = stcodec.VideoInfo(*size, Fraction(1, 1000), None, None, None, "yuv420p", 8, "rawvideo")
            self.session = self.source.open(self.video)
            self.law = stcodec.QpLaw(stcodec.BlockGrid(*size, 16), stcodec.OffsetPolicy())
        if seconds >= self.due:
            found = self.session.attend(
                stcodec.Clip(self.video, np.array([seconds]), np.array([self.due == 0]), self.seen(frame))
            )
            self.offsets = self.law(found.saliency[-1])
            rate = self.source.spec.maps_per_second
            self.due = seconds + 1 / rate if rate > 0 else float("inf")
        return self.offsets

    def seen(self, frame: av.VideoFrame) -> NDArray[np.uint8] | None:
        scale = self.source.spec.thumbnail_side_px / max(frame.width, frame.height)
        small = frame.reformat(round(frame.width * scale), round(frame.height * scale), "rgb24") if scale else None
        return None if small is None else small.to_ndarray()[None].astype(np.uint8)


def rasterised(regions: list[Region], frame: av.VideoFrame) -> Offsets:
    offsets = np.zeros(stcodec.roi.block_grid(frame).shape, np.float32)
    for x, y, width, height, offset in reversed(regions):
        offsets[y // 16 : -(-(y + height) // 16), x // 16 : -(-(x + width) // 16)] = offset
    return offsets


def add_regions(buffer: Gst.Buffer, offsets: Offsets, grid: stcodec.BlockGrid) -> None:
    """Whole QP steps, and coarser ones until there are no more rectangles than encoders take."""
    for step in range(1, 52):
        found = list(rectangles(step * np.rint(offsets / step), grid))
        if len(found) <= MOST_REGIONS:
            break
    for number, (*place, offset) in enumerate(found):
        region = GstVideo.buffer_add_video_region_of_interest_meta(buffer, "stcodec", *place)
        region.id = number
        for name in ENCODERS:
            parameters = Gst.Structure.new_empty(name)
            parameters.set_value("delta-qp", int(offset))
            region.add_param(parameters)


def regions_of(buffer: Gst.Buffer) -> list[Region]:
    """Those that an encoder finds on a buffer."""
    found, number = [], 0
    while region := GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, number):
        offset = region.get_param(ENCODERS[0]).get_int("delta-qp").value
        found.append((region.x, region.y, region.w, region.h, offset))
        number += 1
    return found


def picture(buffer: Gst.Buffer, caps: Gst.Caps) -> av.VideoFrame:
    """A copy of an I420 buffer for PyAV."""
    layout = GstVideo.buffer_get_video_meta(buffer) or GstVideo.VideoInfo.new_from_caps(caps)
    frame = av.VideoFrame(layout.width, layout.height, "yuv420p")
    data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
    for plane, offset, stride in zip(frame.planes, layout.offset, layout.stride, strict=False):
        pixels = data[offset:][: stride * plane.height].reshape(plane.height, stride)
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width] = pixels[
            :, : plane.width
        ]
    return frame


def attach_regions(identity: Gst.Element, maps: Recorded | Live) -> None:
    """Have an `identity` give each I420 buffer its regions. In a probe buffers can't be written."""
    sink, source = identity.get_static_pad("sink"), identity.get_static_pad("src")
    what = Gst.BufferCopyFlags
    keep = what.FLAGS | what.TIMESTAMPS | what.META | what.MEMORY
    began: list[int] = []

    def chain(_pad: Gst.Pad, _parent: Gst.Object, buffer: Gst.Buffer) -> Gst.FlowReturn:
        try:
            frame = picture(buffer, sink.get_current_caps())
            if not began:
                began.append(buffer.pts)
            out = buffer.copy_region(keep, 0, buffer.get_size())
            seconds = (buffer.pts - began[0]) / Gst.SECOND
            add_regions(out, maps.at(seconds, frame), stcodec.roi.block_grid(frame))
        except Exception:
            traceback.print_exc()
            return Gst.FlowReturn.ERROR  # the pipeline ends, as it does by an error in any element
        return source.push(out)

    sink.set_chain_function_full(chain)


def main(source: Path, maps: str, target: Path) -> None:
    Gst.init(None)
    pipeline = Gst.parse_launch(PIPELINE)
    pipeline.get_by_name("file").set_property("location", str(source))
    end = pipeline.get_by_name("end")
    end.set_property("sync", False)
    end.set_property("max-buffers", 4)
    attach_regions(pipeline.get_by_name("roi"), Recorded(Path(maps)) if Path(maps).exists() else Live(maps))
    pipeline.set_state(Gst.State.PLAYING)
    with av.open(str(target), "w") as output:
        stream = None
        while sample := end.emit("pull-sample"):
            frame = picture(sample.get_buffer(), sample.get_caps())
            frame.pts, frame.time_base = sample.get_buffer().pts, Fraction(1, Gst.SECOND)
            if stream is None:
                stream = output.add_stream("libx264", options={"crf": "28"})
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.codec_context.time_base = Fraction(1, 90000)
            stcodec.roi.attach(frame, rasterised(regions_of(sample.get_buffer()), frame))
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
    error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if error is not None:
        sys.exit(f"{source}: {error.parse_error()[0].message}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
