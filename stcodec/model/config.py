"""Settings of the attention network, and the numbers that its training and its use share; free of torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

STRIDE = 8
"""Pixels of the network's input per cell of its maps."""
TOKEN_STRIDE = 16
"""Pixels of its input per token of the temporal branch."""
INPUT_STEP_PX = 32
"""Width and height of its input are multiples of this."""
INPUT_AREA_PX = 320 * 192
"""About the area of its input, px."""
THUMBNAIL_SIDE_PX = 320
"""Longest side of the thumbnails that its input is made of."""
MAPS_PER_SECOND = 5.0
"""Instants that it sees a second."""
HELD_SECONDS = 1.0
"""Longest time for which features of a picture stand for later ones of its shot that hardly differ."""
HELD_LEVELS = 5.0
"""Mean absolute difference of two thumbnails, in grey levels, up to which they hardly differ;"""
HELD_BLOCK_LEVELS = 40.0
"""but nowhere may they differ more, in the mean over a block: what turns up is looked at, and what the camera passes."""
NEXT_HELD_LEVELS = 14.0
"""Difference up to which a picture stands for that of the very next instant, wherever they differ,"""
STILL_CAMERA_SPEED = 0.06
"""as long as the camera moves by no more than this, frame widths per second: else the map would lag behind the picture."""
SLACK_SECONDS = 0.01
"""Instants lie on frames: the ends of a span of time are no more exact than this."""
MEAN_SECONDS = 0.2
"""A map is the mean of the densities up to so long before and after it: gaze comes late, and not everybody's at once."""
PRIOR_SHAPE = (6, 10)
"""Rows and columns of its learnt centre priors."""
MOTION_CHANNELS = 4
"""Motion energy now; its memory; log2 of the motion source's density over its prior; change of the picture. Each is about
within [-4, 4]; all are taken after the camera's own motion is removed."""
DENSITY_CHANNEL = 2
"""The motion channel that says how much denser gaze is than the centre prior, as the motion source has it."""
DENSITY_CHANNEL_UNIT = 2 * math.log(2)
"""One unit of that channel as a natural logarithm: it holds half of log2."""
HALF_OPEN = 0.1
"""Gate score at which a token takes half of its update."""
LEAST_OPENNESS = 0.01
"""Tokens of the window that are less open than this are not looked at."""


@dataclass(frozen=True)
class NetworkConfig:
    """Settings that the weights were trained with; stored beside them."""

    channels: int = 64
    """Channels of both branches, 16 a head."""
    dropout: float = 0.2
    """Share of channels dropped in training."""
    token_share: float = 0.25
    """Share of the tokens that the gate lets into the temporal branch."""
    window_seconds: float = 1.2
    """Seconds that the temporal branch looks back, and ahead where it may."""
    priors: int = 4
    """Learnt centre priors, one a set of recordings; the last is the one for video."""


@dataclass(frozen=True)
class Calibration:
    """Fitted after training, on recordings that were not trained on; stored beside the weights."""

    temperature: float = 1.0
    """The log density is divided by this, > 0."""
    center_share: float = 0.0
    """Share of the centre prior in the density, 0 to 1."""


@dataclass(frozen=True)
class Confidence:
    """Expected NSS of a map as a function of its sharpness; fitted on recordings that were not trained on."""

    scale: float
    """Expected NSS at a sharpness of 1 bit, > 0."""
    power: float
    """> 0."""

    def expected_nss(self, sharpness_bits: float) -> float:
        """Expected NSS: 0 for a uniform map, and higher the sharper it is."""
        return float(self.scale * max(0.0, sharpness_bits) ** self.power)
