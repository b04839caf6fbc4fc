"""The part of a terminal's output that its memory does not hold: a file without a name, which ends with the process."""

import os
from pathlib import Path
from typing import Final

SPILL_BYTES: Final = 16 * 1024 * 1024


class FileSpill:
    """Keeps up to `capacity` bytes, the newest; the file is written round and round."""

    def __init__(self, descriptor: int, capacity: int = SPILL_BYTES) -> None:
        self._descriptor: int | None = descriptor
        self._capacity = capacity
        self.start = self.end = 0

    @classmethod
    def below(cls, directory: Path) -> "FileSpill | None":
        """None where the disk takes no file: then there is memory alone."""
        path = directory / f"spill-{os.getpid()}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            path.unlink()
        except OSError:
            return None
        return cls(descriptor)

    def append(self, data: bytes) -> None:
        end = self.end + len(data)
        try:
            self._write(data[-self._capacity :], end - len(data[-self._capacity :]))
        except OSError:
            # A full disk: what was there has a hole behind it now.
            self.start = self.end = end
            return
        self.start, self.end = max(self.start, end - self._capacity), end

    def read(self, offset: int, limit: int) -> bytes:
        place = offset % self._capacity
        size_bytes = min(limit, self.end - offset, self._capacity - place)
        return os.pread(self._open, size_bytes, place)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError("the spill is closed")
        return self._descriptor

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            place = offset % self._capacity
            written = os.pwrite(self._open, data[: self._capacity - place], place)
            data, offset = data[written:], offset + written
