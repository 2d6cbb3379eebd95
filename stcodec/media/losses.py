"""Messages on what of a picture is lost when it is encoded, or by the container that it is put into."""

from __future__ import annotations

from collections.abc import Collection

from av.video.stream import VideoStream

from stcodec.media.decode import VideoReader
from stcodec.media.side_data import side_data_kinds

_NEVER_KEPT = {
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
}
"""Side data of frames (libavutil's names) that neither the encoders nor PyAV's muxers take."""
_KEPT_BY_SOME = {
    "STEREO3D": ("that it is stereo 3D", ("h264",)),
    "A53_CC": ("what it says in closed captions", ("h264", "hevc")),
}
"""Side data of frames, and the codecs whose encoders write it."""


def is_transparent(reader: VideoReader) -> bool:
    """Whether a video has transparency; GIF's decoder always makes room for it, so that its first picture decides."""
    first = reader.first_frame
    if reader.stream.metadata.get("alpha_mode") == "1":
        return True
    if not any(one.is_alpha for one in first.format.components):
        return False
    return reader.info.codec != "gif" or bool((first.reformat(format="rgba").to_ndarray()[..., 3] < 255).any())


def side_data_losses(found: Collection[str], video: VideoStream, kept: Collection[str] = ()) -> list[str]:
    """Messages on side data of frames, by libavutil's names, that an encoded video lacks. kept: by its container."""
    codec = video.codec_context.codec
    losses = [f"{what} is lost: PyAV can't write it" for name, what in _NEVER_KEPT.items() if name in found]
    if "SPHERICAL" in found and "SPHERICAL" not in kept:
        losses.append("that it is a 360 degree video is lost: only .mp4 keeps it, of a picture that was not cut or turned")
    for name, (what, keepers) in _KEPT_BY_SOME.items():
        if name in found and name not in kept and codec.canonical_name not in keepers:
            losses.append(f"{what} is lost: {codec.name} can't carry it")
    return losses


def picture_losses(reader: VideoReader, container: str, video: VideoStream, kept: Collection[str] = ()) -> list[str]:
    """Messages on a reader's video in a container (ffmpeg's name), encoded as `video` is. kept: as in `side_data_losses`."""
    losses = side_data_losses({*side_data_kinds(reader.first_frame), *reader.surround}, video, kept)
    if is_transparent(reader):
        losses.append("transparency is lost: what was hidden shows")
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
