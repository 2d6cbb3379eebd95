"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from stcodec.errors import MediaError
from stcodec.media.locks import sync_file
from stcodec.media.paths import display_name, file_error, local_url
from stcodec.media.temporary import temporary_folder

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EINVAL)
"""What file systems say that know no hard links."""
_ROOM_BYTES = 16_384


def check_output(
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    source: str | os.PathLike[str] | None = None,
    also_read: Sequence[str | os.PathLike[str]] = (),
) -> Path:
    """Raise MediaError unless a file can be written there without losing anything that was not to be lost.

    source, also_read: the input and the other files that are read; the output must be none of them.
    """
    local_url(path)
    target = Path(path)
    try:
        _check_place(target, overwrite, source)
        for other in also_read:
            if target.exists() and Path(other).exists() and target.samefile(other):
                raise MediaError(
                    f"{display_name(target)}: is read for the attention too; give the output another name", path=target
                )
    except OSError as error:
        raise file_error(target, "can't be written", error) from None
    return target


def _check_place(target: Path, overwrite: bool, source: str | os.PathLike[str] | None) -> None:
    name = display_name(target)
    folder = _real(target).parent
    if target.is_dir():
        raise MediaError(f"{name}: is a directory; give a file name inside it", path=target)
    if source is not None and target.exists() and target.samefile(source):
        raise MediaError(f"{name}: output and input are the same file; give another name", path=target)
    if os.path.lexists(target) and not overwrite:  # a link that leads nowhere is there, too
        raise MediaError(f"{name}: exists already; -y replaces it", path=target)
    if not folder.is_dir():
        raise MediaError(f"{name}: the folder {display_name(folder)} does not exist; make it first", path=target)
    if target.exists() and not target.is_file():
        raise MediaError(f"{name}: is no regular file", path=target)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MediaError(f"{name}: no permission to write in {display_name(folder)}", path=target)


@contextlib.contextmanager
def atomic_output(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary place with the target's name; the file there becomes the target if the block ends well.

    If it does not, whatever was written is removed and the target is as it was. A target that is a link stays one: what it
    leads to is written. Raises MediaError, also without overwrite for a target that has appeared meanwhile.
    """
    real = _real(target)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(real.parent, is_hidden=True))
        except OSError as error:
            raise file_error(target, "can't be written", error) from None
        temporary = folder / real.name
        yield temporary
        try:
            _like(temporary, real)
            sync_file(temporary)
            move(temporary, real, overwrite=overwrite)
        except FileExistsError as error:
            raise MediaError(
                f"{display_name(target)}: exists already, since a moment ago; -y replaces it", path=target, errno=error.errno
            ) from None
        except OSError as error:
            raise file_error(target, "can't be written", error, "; nothing was left behind") from None


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for a run's own files, gone afterwards. Raises MediaError if there is no place for one."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(Path(tempfile.gettempdir())))
        except OSError as error:
            raise MediaError(
                f"there is no place for temporary files ({error}): set TMPDIR to a folder", errno=error.errno
            ) from None
        yield folder


def check_room(folder: Path) -> None:
    """Raise MediaError if nothing more can be written into a run's own folder: what libraries wrote there lacks its end."""
    probe = folder / "room"
    try:
        probe.write_bytes(bytes(_ROOM_BYTES))
        sync_file(probe)
        probe.unlink()
    except OSError as error:
        advice = ": make room there, or set TMPDIR to another folder"
        raise file_error(folder.parent, "temporary files can't be written", error, advice) from None


def move(made: Path, target: Path, *, overwrite: bool) -> None:
    """Give a file its name, on the same disk; without overwrite nothing is ever replaced. Raises OSError."""
    if overwrite:
        made.replace(target)
        return
    try:
        os.link(made, target)  # unlike a rename it never replaces
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), made, None, target) from None
        made.rename(target)
    else:
        made.unlink()


def _real(target: Path) -> Path:
    """The file that is written: of a link its target, whether it exists or not."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def _like(temporary: Path, target: Path) -> None:
    """Owner, as far as that is allowed, and permissions of the file that is replaced, or else of any new file."""
    try:
        old = target.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        return
    if sys.platform != "win32":
        for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
            with contextlib.suppress(PermissionError):
                os.chown(temporary, owner, group)
    temporary.chmod(stat.S_IMODE(old.st_mode))
