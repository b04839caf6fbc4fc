"""The last stretch of a byte stream, addressed by offset from its beginning."""


class Ring:
    """Keeps up to `capacity` bytes; it takes memory for what was written, not for what it could hold."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = bytearray()
        self.end = 0

    @property
    def start(self) -> int:
        """The offset of the oldest byte that is still there."""
        return self.end - len(self._bytes)

    def append(self, data: bytes) -> None:
        self._bytes += data
        self.end += len(data)
        excess = len(self._bytes) - self._capacity
        if excess > 0:
            del self._bytes[:excess]

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from an offset between `start` and `end`; empty at the end."""
        begin = offset - self.start
        if begin < 0:
            raise ValueError(f"offset {offset} was overwritten; the oldest is {self.start}")
        return bytes(self._bytes[begin : begin + limit])
