"""Encodes of an evaluation come out alike, whatever their process did before."""

from __future__ import annotations

import ctypes
from itertools import cycle
from pathlib import Path

import av
import media
import pytest

from stcodec.evaluate.clips import find_clips
from stcodec.evaluate.options import EvaluateOptions
from stcodec.evaluate.points import EncodeTask
from stcodec.evaluate.reference import ReferenceTask
from stcodec.evaluate.repeatable import zeroed_memory
from stcodec.options import EncodeOptions
from stcodec.work.cache import open_cache

glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="not glibc")
_SIZES = (1000, 5000, 20_000, 100_000, 120_000)


def libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    return library


def leave_dirt(byte: int) -> None:
    """Fill much memory with a byte and give it back."""
    library = libc()
    blocks = [library.malloc(size) for size, _ in zip(cycle(_SIZES), range(400), strict=False)]
    for block, size in zip(blocks, cycle(_SIZES), strict=False):
        ctypes.memset(block, byte, size)
    for block in blocks:
        library.free(block)


def fresh(size: int = 20_000) -> bytes:
    """What is in a new block of memory, but for its first words, which are the library's."""
    library = libc()
    block = library.malloc(size)
    found = ctypes.string_at(block, size)[64:]
    library.free(block)
    return found


@glibc
def test_new_memory_is_zero_in_the_block_alone() -> None:
    leave_dirt(0xA5)
    assert any(fresh())
    with zeroed_memory():
        leave_dirt(0xA5)
        assert not any(fresh())
    leave_dirt(0xA5)
    assert any(fresh())


def test_an_encode_has_the_same_bits_every_time(tmp_path: Path) -> None:
    """On processors without AVX-512 it has them anyway."""
    video = media.make_video(tmp_path / "video.mp4", size=(416, 240), frames=48)
    (clip,) = find_clips([str(video)], None)
    made = set()
    for byte in (0, 0x11, 0x7F, 0xFF):
        leave_dirt(byte)
        with open_cache(tmp_path / f"{byte}") as cache:
            reference = ReferenceTask(clip, EvaluateOptions(), cache).run()
            task = EncodeTask(reference, EncodeOptions(attention="none", crf=27, preset="medium"), None, 1, False, cache)
            with av.open(str(task.run().path)) as container:
                made.add(b"".join(bytes(packet) for packet in container.demux(video=0)))
    assert len(made) == 1
