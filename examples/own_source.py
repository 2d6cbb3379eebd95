"""A source of attention of your own: a plain function of a picture.

python examples/own_source.py IN OUT
"""

import sys

import numpy as np
from numpy.typing import NDArray

import stcodec


@stcodec.map_per_frame
def colourful(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How colourful each place of an RGB picture [h, w, 3] is, 0 to 1."""
    spread: NDArray[np.float32] = np.ptp(picture, axis=2).astype(np.float32) / 255
    return spread


if __name__ == "__main__":
    report = stcodec.encode(sys.argv[1], sys.argv[2], attention=colourful, crf=23)
    print(f"{report.source_bytes} -> {report.output_bytes} bytes, attention {report.attention}")
