"""What of the picture's description an output can't hold: said, so that nobody finds out later."""

from __future__ import annotations

from av.video.stream import VideoStream

from stcodec.media.decode import VideoReader
from stcodec.media.side_data import side_data

_NEVER_KEPT = {
    "SPHERICAL": "that it is a 360 degree video",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
}
"""Side data of frames (libavutil's names) that neither the encoders nor PyAV's muxers take."""


def picture_losses(reader: VideoReader, container: str, video: VideoStream) -> list[str]:
    """Messages on a reader's video in a container (ffmpeg's name), encoded as `video` is."""
    first = reader.first_frame
    losses = [f"{what} is lost: PyAV can't write it" for name, what in _NEVER_KEPT.items() if side_data(first, name)]
    degrees = reader.info.rotation_degrees
    if container == "mpegts" and (degrees or reader.is_mirrored):
        what = f"the rotation by {degrees} degrees" if degrees else "the mirroring"
        losses.append(f"{what} is lost: mpegts has no place for it; use .mp4")
    aspect = reader.info.sample_aspect_ratio
    if aspect not in (None, 1) and video.codec_context.codec.canonical_name == "vp9" and "mp4" not in container:
        losses.append(
            f"the pixels' aspect {aspect} is lost: VP9 in {container} has no place for it that PyAV writes; use .mp4"
        )
    return losses
