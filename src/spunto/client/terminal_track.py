"""How far a terminal's output has been read, so that attaching again neither loses nor repeats a byte."""


class TerminalTrack:
    """`offset` is the position of the next byte to read in `session`; both are None before the first attachment, unless
    that is to be to a session that goes on."""

    def __init__(self, session: str | None = None) -> None:
        self.session = session
        self.offset: int | None = None
        self._arriving_at = 0

    def attached(self, *, session: str, offset: int) -> int:
        """Output comes from `offset` on now. Answers how many bytes before it can't be had any more."""
        seen = self.offset if session == self.session else None
        self.session = session
        self._arriving_at = offset
        self.offset = offset if seen is None else max(seen, offset)
        return 0 if seen is None else max(0, offset - seen)

    def skipped(self, offset: int) -> None:
        """What would have come before `offset` can't be had any more: whoever reads was too slow for it."""
        self._arriving_at = max(self._arriving_at, offset)
        self.offset = max(self.offset or 0, offset)

    def accept(self, data: bytes) -> bytes:
        """The part of the data, which follows what came before, that has not been read yet."""
        if self.offset is None:
            raise ValueError("output before the first attachment")
        known_bytes = max(0, self.offset - self._arriving_at)
        self._arriving_at += len(data)
        self.offset = max(self.offset, self._arriving_at)
        return data[known_bytes:]
