"""The file that a run must leave: inside the worker's workspace, and nowhere else.

Every step of its path is opened without following a link, so that a worker cannot have the watcher
read or write outside. It must not know how a run is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READ_BYTES = 1 << 20
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class OutputError(Exception):
    """The file cannot be used; the message is one line for the run's parent."""


class OutputFile:
    """One file below one workspace, known by its relative path."""

    def __init__(self, workspace: Path, path: str) -> None:
        """Check the path.

        Raises:
            OutputError: it would lead out of the workspace.
        """
        self.path = path
        self._workspace = workspace
        *self._folders, self._name = parts = path.split("/")
        if "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise OutputError(f"the output path {path!r} is not one inside the workspace")

    def prepare(self) -> list[int] | None:
        """Make its folders; give what tells the file that is there now from a later one.

        Raises:
            OutputError: something in the way.
        """
        with self._folder() as folder, self._naming_troubles():
            try:
                found = os.stat(self._name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return None
            _check_regular(found)
            return _identify(found)

    def settle(self, before: list[int] | None, output: bytes | None) -> dict[str, Any] | None:
        """Give what the bus is told of the file, once the run has ended.

        Where the worker wrote none, `output` is put there; None has no file made.

        Raises:
            OutputError: it cannot be read or written, or is not a file of the workspace.
        """
        with self._folder() as folder, self._naming_troubles():
            found = self._read(folder, before, is_wanting=bool(output))
            if found is not None or output is None:
                return found
            self._write(folder, output)
            digest = hashlib.sha256(output).hexdigest()
            return self._tell(len(output), digest, "watcher")

    def _read(
        self, folder: int, before: list[int] | None, *, is_wanting: bool
    ) -> dict[str, Any] | None:
        """Give what the worker wrote; None where that is nothing new."""
        try:
            descriptor = os.open(self._name, READ_FLAGS, dir_fd=folder)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _check_regular(found)
            if _identify(found) == before or (found.st_size == 0 and is_wanting):
                return None
            digest, size = hashlib.sha256(), 0
            while size < found.st_size:  # one that still grows is not read for ever
                chunk = file.read(min(READ_BYTES, found.st_size - size))
                if not chunk:
                    break
                digest.update(chunk)
                size += len(chunk)
        return self._tell(size, digest.hexdigest(), "worker")

    def _write(self, folder: int, data: bytes) -> None:
        """Put a whole file there or none; a link that stands there goes, not what it leads to."""
        fresh = f".{self._name[:200]}.{os.getpid()}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        descriptor = os.open(fresh, WRITE_FLAGS, 0o666, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(fresh, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh, dir_fd=folder)
            raise

    def _tell(self, size: int, digest: str, writer: str) -> dict[str, Any]:
        path = str(self._workspace / self.path)
        return {"path": path, "size": size, "sha256": digest, "written_by": writer}

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """Open the file's folder, step by step, making what is missing."""
        with contextlib.ExitStack() as opened, self._naming_troubles():
            # the workspace itself is the owner's word, and may be a link
            flags = FOLDER_FLAGS & ~os.O_NOFOLLOW
            folder = os.open(self._workspace, flags)
            opened.callback(os.close, folder)
            for name in self._folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
                folder = os.open(name, FOLDER_FLAGS, dir_fd=folder)
                opened.callback(os.close, folder)
            yield folder

    @contextlib.contextmanager
    def _naming_troubles(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = f"{self._workspace}/{self.path}"
            why = error.strerror or str(error)
            raise OutputError(f"the output file {where} cannot be used: {why}") from error


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no plain file"
        raise OSError(0, f"it is {kind}")


def _identify(found: os.stat_result) -> list[int]:
    return [found.st_ino, found.st_size, found.st_mtime_ns]
