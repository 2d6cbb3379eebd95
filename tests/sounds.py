"""Audio of files as players hear it: how far it lies off the picture, measured."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from media import run_ffmpeg
from numpy.typing import NDArray

RATE = 16_000


def heard(path: Path, track: int = 0, stream: str = "a") -> NDArray[np.float64]:
    """The audio from the first picture on, mono, [n] at RATE, decoded by the ffmpeg program with gaps filled."""
    filled = f"aresample={RATE}:async=1:first_pts=0:min_hard_comp=0.01"
    chain = f"[0:{stream}:{track}]{filled},aformat=channel_layouts=mono:sample_fmts=flt[out]"
    words = ["-v", "error", "-nostdin", "-copyts", "-i", str(path), "-filter_complex", chain, "-map", "[out]"]
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *words, "-f", "f32le", "-"], capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, np.float32).astype(np.float64)
    return samples[round(first_picture(path) * RATE) :]


def first_picture(path: Path) -> float:
    """Seconds at which the ffmpeg program shows the first picture."""
    said = run_ffmpeg("-i", path, "-map", "0:V:0", "-frames:v", "1", "-copyts", "-vf", "showinfo", "-f", "null", "-")
    return float(said.split("pts_time:")[1].split()[0])


def lag_seconds(one: NDArray[np.float64], other: NDArray[np.float64], most: float = 0.5) -> float:
    """How much later `other` is heard than `one`, by cross-correlation; most: the largest that is looked for."""
    size = min(len(one), len(other))
    first, second = one[:size] - one[:size].mean(), other[:size] - other[:size].mean()
    spectrum = np.fft.rfft(second, 2 * size) * np.conj(np.fft.rfft(first, 2 * size))
    found = np.fft.irfft(spectrum)
    reach = round(most * RATE)
    lags = np.concatenate([found[-reach:], found[: reach + 1]])
    return (int(lags.argmax()) - reach) / RATE


def make_clicks(path: Path, codec: str, *words: str, seconds: float = 3.0, channels: int = 2, rate: int = 48_000) -> Path:
    """Noise in bursts of irregular length, encoded: audio of which every moment is unlike every other."""
    generator = np.random.default_rng(7)
    count = round(seconds * rate)
    slow = np.repeat(generator.uniform(0, 1, count // 400 + 1) > 0.6, 400)[:count]
    noise = np.convolve(generator.normal(0, 1, count), np.ones(12) / 12, "same") * slow * 0.4
    samples = np.repeat((noise * 32767 * 0.8).clip(-32767, 32767).astype("<i2")[:, None], channels, 1)
    raw = path.with_name(f"{path.name}.raw")
    raw.write_bytes(samples.tobytes())
    run_ffmpeg("-f", "s16le", "-ar", str(rate), "-ac", str(channels), "-i", raw, "-c:a", codec, *words, path)
    raw.unlink()
    return path
