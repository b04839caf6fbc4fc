"""The last stretch of a byte stream, addressed by offset from its beginning."""

from collections.abc import Callable


class Ring:
    """Keeps about `capacity()` bytes; it takes memory for what was written, not for what it could hold."""

    def __init__(self, capacity: Callable[[], int]) -> None:
        self._capacity = capacity
        self._bytes = bytearray()
        self.end = 0

    @property
    def start(self) -> int:
        """The offset of the oldest byte that is still there."""
        return self.end - len(self._bytes)

    def append(self, data: bytes) -> bytes:
        """Take it in; answers what had to go for it, which ended where the ring begins now.

        An eighth more than the capacity may stay, so that not every byte more moves all others.
        """
        self._bytes += data
        self.end += len(data)
        capacity = self._capacity()
        if len(self._bytes) <= capacity + capacity // 8:
            return b""
        excess = len(self._bytes) - capacity
        oldest = bytes(memoryview(self._bytes)[:excess])
        del self._bytes[:excess]
        return oldest

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from an offset between `start` and `end`; empty at the end."""
        begin = offset - self.start
        if begin < 0:
            raise ValueError(f"offset {offset} was overwritten; the oldest is {self.start}")
        return bytes(memoryview(self._bytes)[begin : begin + limit])
