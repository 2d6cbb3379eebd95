"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stcodec.errors import check_range


@dataclass(frozen=True)
class StageConfig:
    """One stage: so many steps of AdamW under a one-cycle schedule."""

    steps: int
    batch: int
    """Pictures of the image stage; runs of instants of the video stage."""
    stem_rate: float
    """Peak learning rate of the stem's later blocks; 0 = the whole stem stays as it is."""
    spatial_rate: float
    temporal_rate: float
    """0 = the stage does not train the branch."""
    weight_decay: float = 0.05
    rising_share: float = 0.2
    """Share of the steps in which the learning rate rises to its peak."""

    @property
    def trains(self) -> bool:
        """True if anything is trained."""
        return max(self.stem_rate, self.spatial_rate, self.temporal_rate) > 0

    def __post_init__(self) -> None:
        check_range("steps", self.steps, 1)
        check_range("batch", self.batch, 1)


IMAGES = StageConfig(steps=580, batch=32, stem_rate=2e-4, spatial_rate=2e-3, temporal_rate=0.0)
"""Static pictures with gaze; the stem begins with ImageNet weights, blocks at stride 8 and finer stay as they are."""
SYNTHETIC = StageConfig(steps=240, batch=3, stem_rate=0.0, spatial_rate=0.0, temporal_rate=2e-3, rising_share=0.25)
"""Pictures under moving cameras, with things that move on them: the temporal branch alone, which it is about."""
VIDEO = StageConfig(steps=80, batch=3, stem_rate=0.0, spatial_rate=5e-4, temporal_rate=2e-3, rising_share=0.25)
"""Video with gaze, with pictures beside it so that they are not forgotten."""


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    seed: int = 0
    images: StageConfig = IMAGES
    synthetic: StageConfig = SYNTHETIC
    video: StageConfig = VIDEO
    views: int = 5
    """Views of each picture."""
    synthetic_runs: int = 480
    instants: int = 12
    """Instants of a run of video, 5 a second."""
    replay: int = 16
    """Views of pictures beside each step of a stage on video that trains the spatial branch."""
    replay_weight: float = 0.5
    cc_weight: float = 0.5
    """Of the linear correlation in the loss, beside the Kullback-Leibler divergence."""
    averaging: float = 0.95
    """Decay of the running mean of the weights over the second half of those two stages, which is what each ends with."""
    device: str = "cpu"
    """Device as torch names it; "cuda" trains with mixed precision."""

    @property
    def trains_stem(self) -> bool:
        """True if pictures train the stem's later blocks."""
        return self.images.stem_rate > 0

    def with_trained_stem(self) -> TrainConfig:
        """Settings for a stem that gaze has trained already: all of it stays as it is."""
        return replace(self, images=replace(self.images, stem_rate=0.0))
