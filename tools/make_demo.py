"""Render the demo: `data/demo.mp4` and `data/demo.mask.mkv`, the mask of what moves in it.

    python tools/make_demo.py [--out DIR]

Shown is, in 1280x720 at 30 frames a second:
    0.0 - 3.0 s  a launch pad at dusk; the camera pans and tilts, and the rocket on it lifts off;
    3.0 - 6.2 s  (after a hard cut) an astronaut's portrait, the camera drifting; a cup of coffee floats past.
The sound is quiet, and synthesised here: a rumble, then a chord. The mask is 255 on the rocket with its flame and on
the cup, 0 elsewhere, with the timestamps of the video (to the millisecond that Matroska keeps).

The photographs come with scikit-image's wheel, whose documentation states that
    rocket     by SpaceX (DSCOVR on Falcon 9) is released in the public domain,
    astronaut  by NASA (Eileen Collins, Great Images database) has no known copyright restrictions, public domain,
    coffee     by Rachel Michetti, courtesy of Pikolo Espresso Bar, has no copyright restrictions, CC0.
The same versions of the packages render the same files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from skimage import data

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Point = tuple[float, float]

WIDTH_PX, HEIGHT_PX, RATE = 1280, 720, 30
LAUNCH_FRAMES, PORTRAIT_FRAMES = 90, 96
FRAMES = LAUNCH_FRAMES + PORTRAIT_FRAMES
SAMPLE_RATE = 48_000
WORLD_SCALE = 3
"""The photographs are enlarged by this once; a frame is a view into that."""
ENCODER_OPTIONS = {"preset": "veryslow", "crf": "18"}
GRAIN, NOISE = 1.3, 0.4
"""Deviations, of 255, of the grain that moves with a photograph and of the noise that is new in every frame."""
BT709 = 1

Shot = Callable[[float], tuple[Floats, Floats]]
"""Seconds since the cut -> RGB float32 [H, W, 3] in 0..255, and coverage of the moving thing float32 [H, W] in 0..1."""


@dataclass(frozen=True)
class Camera:
    """How a photograph comes into the frame: frame = scale * rotation * (photograph - centre) + at."""

    centre: Point
    """The pixel of the photograph that is held on to."""
    scale: float
    """Pixels of the frame a pixel of the photograph."""
    degrees: float = 0.0
    """Turned counter-clockwise by this."""
    at: Point = (WIDTH_PX / 2, HEIGHT_PX / 2)
    """The pixel of the frame where `centre` comes to lie."""

    def matrix(self) -> NDArray[np.float64]:
        """2x3, from photograph to frame."""
        turn = cv2.getRotationMatrix2D(self.centre, self.degrees, self.scale)
        turn[:, 2] += np.array(self.at) - np.array(self.centre)
        return np.asarray(turn, dtype=np.float64)

    def show(self, world: Floats, border: int = cv2.BORDER_REFLECT) -> Floats:
        """What the camera sees of a world: an array [H, W] or [H, W, 3] that is WORLD_SCALE times the photograph."""
        matrix = self.matrix()
        # Centres of pixels: photograph = (world + 0.5) / WORLD_SCALE - 0.5.
        matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5 / WORLD_SCALE - 0.5)
        matrix[:, :2] /= WORLD_SCALE
        seen = cv2.warpAffine(world, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_CUBIC, borderMode=border)
        return np.asarray(seen, dtype=np.float32)

    def coordinates(self) -> tuple[Floats, Floats]:
        """The x and y in the photograph of every pixel of the frame."""
        back = cv2.invertAffineTransform(self.matrix())
        y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float32)
        return (
            (back[0, 0] * x + back[0, 1] * y + back[0, 2]).astype(np.float32),
            (back[1, 0] * x + back[1, 1] * y + back[1, 2]).astype(np.float32),
        )


def photograph(name: str) -> Floats:
    """One of scikit-image's photographs as RGB [H, W, 3] in 0..255."""
    return np.asarray(getattr(data, name)(), dtype=np.float32)


def enlarge(picture: Floats, sharpen: float = 0.4) -> Floats:
    """A photograph WORLD_SCALE times as large, sharpened, for it will fill a frame four times its area."""
    large = cv2.resize(picture, None, fx=WORLD_SCALE, fy=WORLD_SCALE, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(large + sharpen * (large - cv2.GaussianBlur(large, (0, 0), 2.5)), dtype=np.float32)


def grain(shape: tuple[int, ...], sigma: float, seed: int) -> Floats:
    """Film grain that belongs to the photograph, and so moves with the camera: gray noise [H, W, 1]."""
    noise = np.random.default_rng(seed).standard_normal(shape[:2], dtype=np.float32)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2), dtype=np.float32)
    return np.asarray(soft * (sigma / soft.std()), dtype=np.float32)[:, :, None]


def coverage(shape: tuple[int, ...], polygons: list[list[Point]], soft_px: float) -> Floats:
    """Coverage [H, W] in 0..1, at WORLD_SCALE, of polygons given in the photograph's pixels, with a soft edge."""
    mask = np.zeros((shape[0] * WORLD_SCALE, shape[1] * WORLD_SCALE), np.uint8)
    for polygon in polygons:
        corners = np.array(polygon) * WORLD_SCALE * 256
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=8)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), soft_px), dtype=np.float32)


def ellipse(centre: Point, axes: Point, degrees: float) -> list[Point]:
    """The outline of an ellipse with the given half axes, the first of them turned clockwise by some degrees."""
    turn, angle = np.radians(degrees), np.linspace(0, 2 * np.pi, 180, endpoint=False)
    u, v = axes[0] * np.cos(angle), axes[1] * np.sin(angle)
    x, y = centre[0] + u * np.cos(turn) - v * np.sin(turn), centre[1] + u * np.sin(turn) + v * np.cos(turn)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def over(below: Floats, above: Floats, alpha: Floats) -> Floats:
    """`above` laid on `below` where alpha [H, W] is 1."""
    return below + (above - below) * alpha[:, :, None]


ROCKET: list[Point] = [
    (322.6, 126.8), (318.0, 130.5), (314.2, 136.0), (312.0, 141.5), (311.3, 146.0), (311.3, 173.5), (314.0, 178.5),
    (314.0, 350.0), (312.8, 406.3), (332.0, 406.3), (331.2, 350.0), (331.2, 178.5), (334.0, 173.5), (334.0, 146.0),
    (333.3, 141.5), (331.0, 136.0), (327.2, 130.5),
]  # fmt: skip
NOZZLE: Point = (322.5, 405.0)


def without_rocket(scene: Floats) -> Floats:
    """The pad with the rocket gone: sky drawn across from both sides, near the ground from the left."""
    left, right = scene[:, 302:306].mean(1), scene[:, 340:344].mean(1)
    low = scene[:, 282:287].mean(1)
    near_ground = np.clip((np.arange(len(scene)) - 320) / 20, 0, 1)[:, None]
    left, right = left + (low - left) * near_ground, right + (low - right) * near_ground
    across = np.linspace(0, 1, 26)[None, :, None]
    sky = cv2.GaussianBlur(left[:, None] * (1 - across) + right[:, None] * across, (0, 0), 2)
    full = scene.copy()
    full[:, 310:336] = sky
    hole = cv2.resize(coverage(scene.shape, [ROCKET], 4.0), scene.shape[1::-1], interpolation=cv2.INTER_AREA)
    return over(scene, full, np.clip(np.asarray(hole, dtype=np.float32) * 2.5, 0, 1))


def flame(x: Floats, y: Floats, t: float, length_px: float) -> tuple[Floats, Floats]:
    """Light to add, RGB [H, W, 3], and coverage [H, W] of the exhaust, x and y px of the photograph from the nozzle."""
    wave = 1 + 0.07 * np.sin(0.42 * y - 38 * t) + 0.04 * np.sin(1.1 * y - 71 * t)
    width = (5.5 + 0.05 * np.clip(y, 0, None)) * wave
    along = np.clip(1 - y / length_px, 0, 1)
    core = np.exp(-((x / width) ** 2)) * along**0.6 * np.clip(y + 1, 0, 1)
    halo = np.exp(-((x / width / 2.6) ** 2)) * along * np.clip((y + 6) / 14, 0, 1)
    light = core[:, :, None] * np.array([330, 290, 220]) + halo[:, :, None] * np.array([170, 75, 15])
    return light.astype(np.float32), np.clip(core * 1.6, 0, 1).astype(np.float32)


def launch() -> Shot:
    """The first shot."""
    scene = photograph("rocket")
    pad, rocket = enlarge(without_rocket(scene)), enlarge(scene)
    pad += grain(pad.shape, GRAIN, seed=1)
    cover = coverage(scene.shape, [ROCKET], 1.3)

    def frame(t: float) -> tuple[Floats, Floats]:
        glide = t / 3 + 0.12 * np.sin(2 * np.pi * t / 3) / np.pi
        camera = Camera((356 - 46 * glide, 268 - 46 * glide), 2.36 - 0.26 * glide, 0.3 * np.sin(1.3 * t))
        risen_px = 7 * t + 5.7 * t**2
        lifted = Camera((camera.centre[0], camera.centre[1] + risen_px), camera.scale, camera.degrees)
        x, y = camera.coordinates()
        x, y = x - NOZZLE[0], y - NOZZLE[1]
        above_deck = np.clip(3 - y, 0, 1)
        light, burning = flame(x, y + risen_px, t, 10 + 0.85 * risen_px)
        glow = 70 * np.exp(-((x / 75) ** 2) - ((y / 38) ** 2)) * (0.8 + 0.06 * np.sin(23 * t) + 0.2 * glide)
        picture = camera.show(pad) + light * above_deck[:, :, None] + glow[:, :, None] * np.array([1.0, 0.62, 0.28])
        body = np.clip(lifted.show(cover, cv2.BORDER_CONSTANT), 0, 1)
        picture = over(picture.astype(np.float32), lifted.show(rocket), body)
        return picture, np.maximum(body, burning * above_deck)

    return frame


CUP = [
    ellipse((278.4, 221.6), (199.6, 166.8), 4.8),
    ellipse((290.5, 113.0), (117.0, 94.0), 4.0),
    [(398.0, 79.0), (402.5, 70.5), (411.0, 67.8), (419.5, 71.0), (422.5, 80.0), (414.0, 122.0), (400.0, 122.0)],
]


def portrait() -> Shot:
    """The second shot."""
    coffee = photograph("coffee")
    wall, cup = enlarge(photograph("astronaut")), enlarge(coffee, 0.3)
    wall += grain(wall.shape, GRAIN, seed=2)
    cover = coverage(coffee.shape, CUP, 2.0)

    def frame(t: float) -> tuple[Floats, Floats]:
        camera = Camera((243 + 7.5 * t, 141 + 6.5 * t), 2.72 - 0.02 * t, -0.4 * np.sin(1.1 * t))
        at = (1140 - 120 * t + 10 * np.sin(2 * t), 290 + 84 * t + 20 * np.sin(1.9 * t))
        floating = Camera((290, 205), 0.62 - 0.015 * t, 16 * t - 14, at)
        body = np.clip(floating.show(cover, cv2.BORDER_CONSTANT), 0, 1)
        return over(camera.show(wall), floating.show(cup), body), body

    return frame


def render() -> Iterator[tuple[Bytes, Bytes]]:
    """The frames in order: RGB uint8 [H, W, 3] and mask uint8 [H, W], 255 where the moving thing is."""
    noise = np.random.default_rng(3)
    for shot, count in ((launch(), LAUNCH_FRAMES), (portrait(), PORTRAIT_FRAMES)):
        for index in range(count):
            picture, moving = shot(index / RATE)
            # A little noise that is new in every frame, as from a sensor.
            picture += noise.standard_normal((HEIGHT_PX, WIDTH_PX, 1), dtype=np.float32) * NOISE
            yield np.clip(picture, 0, 255).round().astype(np.uint8), np.where(moving > 0.5, 255, 0).astype(np.uint8)


def sound() -> Floats:
    """The sound track, float32 [2, samples] in -1..1: low-passed noise that grows, then a chord that swells."""
    cut, total = LAUNCH_FRAMES * SAMPLE_RATE // RATE, FRAMES * SAMPLE_RATE // RATE
    t = np.arange(total - cut) / SAMPLE_RATE
    noise = np.random.default_rng(4).standard_normal((2, cut))
    response = 1 / (1 + (np.fft.rfftfreq(cut, 1 / SAMPLE_RATE) / 110) ** 4)
    rumble = np.fft.irfft(np.fft.rfft(noise) * response, cut)
    rumble *= np.linspace(0.3, 1, cut) * np.clip((cut - np.arange(cut)) / 2400, 0, 1) / rumble.std()
    notes = [sum(np.sin(2 * np.pi * hertz * (1 + side) * t) for hertz in (220.0, 277.2, 329.6)) for side in (0, 1e-3)]
    chord = np.stack(notes) * np.clip(t / 0.4, 0, 1) * np.clip((t[-1] - t) / 0.8, 0, 1)
    return np.concatenate([0.025 * rumble, 0.012 * chord], axis=1).astype(np.float32)


def add_video(container: OutputContainer, codec: str, pix_fmt: str, options: dict[str, str]) -> av.VideoStream:
    """A video stream of the demo's size and rate. Threads are fixed, as their number changes what x264 writes."""
    stream = container.add_stream(codec, rate=RATE, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, pix_fmt
    stream.codec_context.time_base = Fraction(1, RATE)
    stream.codec_context.thread_count = 2
    return stream


def to_video(rgb: Bytes) -> av.VideoFrame:
    """The frame as the encoder gets it: 8-bit 4:2:0, BT.709, limited range."""
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    return frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, interpolation="BICUBIC"
    )


def write(folder: Path) -> None:
    """Write both files into a folder that exists."""
    same = {"fflags": "+bitexact"}  # no random identifiers, so that the same content makes the same bytes
    mp4, mkv = str(folder / "demo.mp4"), str(folder / "demo.mask.mkv")
    with av.open(mp4, "w", options=same) as video, av.open(mkv, "w", options=same) as masks:
        picture = add_video(video, "libx264", "yuv420p", ENCODER_OPTIONS)
        context = picture.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = ColorRange.MPEG
        track = video.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        track.bit_rate = 64_000
        mask = add_video(masks, "ffv1", "gray", {"level": "3", "coder": "0", "context": "0", "slices": "4", "g": "30"})
        for index, (rgb, moving) in enumerate(render()):
            frame, cover = to_video(rgb), av.VideoFrame.from_ndarray(moving, format="gray")
            for stream, output, shown in ((picture, video, frame), (mask, masks, cover)):
                shown.pts, shown.time_base = index, Fraction(1, RATE)
                output.mux(stream.encode(shown))
        video.mux(picture.encode(None))
        masks.mux(mask.encode(None))
        samples = av.AudioFrame.from_ndarray(sound(), format="fltp", layout="stereo")
        samples.sample_rate, samples.pts, samples.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        video.mux(track.encode(samples))
        video.mux(track.encode(None))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Render the demo video and its mask.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data", help="folder to write into")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
    for name in ("demo.mp4", "demo.mask.mkv"):
        print(f"{folder / name}: {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
