"""What the command line prints: results on stdout, talk on stderr, and with --json nothing but JSON."""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from spunto.client.wire import WireModel
from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.cli.exits import problem_of, sentence_of

T = TypeVar("T")
# Control characters, what changes the direction of writing, halves of characters, and separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
Columns = Sequence[tuple[str, Callable[[T], str]]]


class Output:
    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def table(self, items: Sequence[T], columns: Columns[T], *, wire: Callable[[T], Mapping[str, Any]]) -> None:
        if self.as_json:
            self.json({"items": [wire(item) for item in items]})
            return
        headers = [header for header, _ in columns]
        rows = [[printable(cell(item)) for _, cell in columns] for item in items]
        if sys.stdout.isatty():
            _print_table(headers, rows)
            return
        self.text("".join(f"{line}\n" for line in aligned([headers, *rows])))

    def record(self, item: WireModel, fields: Iterable[tuple[str, str]]) -> None:
        """One thing, a line for each field that says something."""
        if self.as_json:
            self.json(item.to_wire())
            return
        self.text("".join(f"{line}\n" for line in aligned([[f"{k}:", printable(v)] for k, v in fields if v])))

    def done(self, sentence: str, item: WireModel) -> None:
        """The end of a command that changed something: what it is now."""
        if self.as_json:
            self.json(item.to_wire())
        else:
            self.text(f"{printable(sentence)}\n")

    def json(self, value: Any) -> None:
        self.text(_json(value) + "\n")

    def passed_on(self, text: str) -> None:
        """Lines that a worker wrote: as they are into pipes and files, and harmless on a terminal."""
        self.text("".join(map(visible, text.splitlines(keepends=True))) if sys.stdout.isatty() else text)

    def data(self, data: bytes) -> None:
        """Bytes as they are."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def text(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def note(self, sentence: str) -> None:
        if not self.as_json:
            sys.stderr.write(f"{printable(sentence)}\n")
            sys.stderr.flush()

    def error(self, error: SpuntoError) -> None:
        if self.as_json:
            sys.stderr.write(_json(problem_of(error)) + "\n")
        else:
            sys.stderr.write("\n".join(map(printable, f"error: {sentence_of(error)}".split("\n"))) + "\n")
        sys.stderr.flush()


def printable(text: str) -> str:
    """Text from elsewhere that can't move the cursor, ring or colour the terminal: control characters are spelt out."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )


def visible(line: str) -> str:
    """`printable`, but for a line's end and the tabs in it."""
    content = line.removesuffix("\n")
    return "\t".join(map(printable, content.split("\t"))) + line[len(content) :]


def _json(value: Any) -> str:
    """As people read it; what would do something to a terminal is escaped, which means the same to a program."""
    return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return json.dumps(character)[1:-1]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with two blanks between columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


_COLOURS = {
    "ready": "green", "online": "green", "running": "green", "expected": "green",
    "error": "red", "offline": "red", "provisioning_failed": "red", "quarantined": "red", "orphan": "red",
    "stopped": "dim", "unknown": "dim",
}  # fmt: skip
_TRANSIENT = frozenset({"spawning", "starting", "stopping", "destroying", "draining", "provisioning"})


def _print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # rich is slow to import, and pipes don't need it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "yellow" if cell in _TRANSIENT else "")) for cell in row))
    Console().print(table)
