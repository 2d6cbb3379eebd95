"""Tags of a file and of its streams: which are still true of the result, and which say where it was taken."""

from __future__ import annotations

import re
from collections.abc import Mapping

_STALE = {
    "encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "_statistics_tags", "_statistics_writing_app",
    "_statistics_writing_date_utc", "rotate", "major_brand", "minor_version", "compatible_brands", "vendor_id", "alpha_mode",
}  # fmt: skip
"""Tags that describe the old bitstream or the old container, not the work; they would be false in the result."""
_LOCATION = re.compile(
    r"(^|[^a-z])(location|loci|.?xyz|gps\w*|geo(tag|location|graphic)?|latitude|longitude|altitude|coordinates?)([^a-z]|$)"
    r"|iso6709|recorded_location|latlong|exif.?gps"
)
"""Names of tags that say where: Apple's keys, (c)xyz, loci, location-eng, RECORDING_LOCATION, GPSLatitude and the like."""
QUICKTIME_LANGUAGES = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "mkd": "mac",
    "fre": "fra", "rum": "ron", "cze": "ces", "slo": "slk", "hye": "arm", "kat": "geo", "bod": "tib", "mya": "bur",
    "msa": "may", "cym": "wel", "eus": "baq",
}  # fmt: skip
"""Names of ffmpeg's mov muxer for languages (isom.c, mov_mdhd_language_map) that it drops under their usual code."""


def kept_tags(tags: Mapping[str, str], *, strip_location: bool = False) -> dict[str, str]:
    """Tags that are still true of the result; strip_location: without those that say where it was taken."""
    kept = {key: value for key, value in tags.items() if key.lower().split("-")[0] not in _STALE}
    return {key: value for key, value in kept.items() if not says_where(key)} if strip_location else kept


def stream_tags(tags: Mapping[str, str], *, strip_location: bool = False) -> dict[str, str]:
    """Tags of a stream: mov's "name" is what the muxers know as "title"."""
    kept = kept_tags(tags, strip_location=strip_location)
    return {"title" if key.lower() == "name" else key: value for key, value in kept.items()}


def says_where(key: str) -> bool:
    """Whether a tag says where a video was taken, by its name."""
    return _LOCATION.search(key.lower()) is not None
