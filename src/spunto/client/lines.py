"""Lines of a body that comes in pieces, and the messages that server-sent events are made of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from spunto.client.errors import UnexpectedAnswer

# A line holds one event or one entry, and its largest part is the text that people gave their things.
LONGEST_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One server-sent event; `id` is that of the last one that had any."""

    event: str
    id: str
    data: str


@dataclass(frozen=True, slots=True)
class Retry:
    """How long the server wants a reader to wait before it comes back."""

    seconds: float


async def lines_in(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines without their ends; the last one counts also without an end. Raises UnexpectedAnswer."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if b"\n" in piece:
            *lines, rest = waiting.split(b"\n")
            waiting = rest
            for line in lines:
                yield bytes(line.removesuffix(b"\r"))
        if len(waiting) > LONGEST_LINE_BYTES:
            raise UnexpectedAnswer("unexpected_answer", "The server sent a line without an end.")
    if waiting:
        yield bytes(waiting)


async def messages_in(pieces: AsyncIterator[bytes]) -> AsyncIterator[Message | Retry]:
    """What an event stream says; a message that is not complete at its end was never said.

    After https://html.spec.whatwg.org/multipage/server-sent-events.html, without lines that end in a lone CR.
    """
    event, last_id, data = "", "", list[str]()
    async for line in lines_in(pieces):
        if not line:
            if data:
                yield Message(event=event or "message", id=last_id, data="\n".join(data))
            event, data = "", []
            continue
        # A line that begins with a colon is a comment: its field has no name.
        field, _, raw = line.partition(b":")
        value = raw.removeprefix(b" ").decode(errors="replace")
        match field:
            case b"data":
                data.append(value)
            case b"event":
                event = value
            case b"id" if "\0" not in value:
                last_id = value
            case b"retry" if value.isascii() and value.isdigit():
                yield Retry(int(value) / 1000)
