"""The commands that containers of the fake engine know: a shell small enough to predict, and a table to extend."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

StreamName = Literal["stdout", "stderr"]
Write = Callable[[StreamName, bytes], Awaitable[None]]

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_NUMERIC_USERS = {"root": "0", "vscode": "1000"}


class Exited(Exception):
    """The script said `exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True, kw_only=True)
class Files:
    """What a container sees: its own files, and those of the volumes mounted in it."""

    own: MutableMapping[str, bytes] = field(default_factory=dict)
    volumes: Mapping[str, MutableMapping[str, bytes]] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    modes: dict[str, int] = field(default_factory=dict)

    def paths(self) -> list[str]:
        mounted = (f"{at}{path}" for at, files in self.volumes.items() for path in files)
        return [*self.own, *mounted]

    def remove(self, path: str) -> None:
        files, key = self._place(path)
        files.pop(key, None)

    def read(self, path: str) -> bytes | None:
        files, key = self._place(path)
        return files.get(key)

    def write(self, path: str, content: bytes) -> None:
        files, key = self._place(path)
        files[key] = content

    def has_directory(self, path: str) -> bool:
        known = {"/", "/proc", "/tmp", "/root", "/home/vscode", *self.volumes}  # noqa: S108 - names, nothing is made
        return path in known | self.directories or any(file.startswith(f"{path}/") for file in self.paths())

    def _place(self, path: str) -> tuple[MutableMapping[str, bytes], str]:
        for mounted, files in self.volumes.items():
            if path.startswith(f"{mounted}/"):
                return files, path.removeprefix(mounted)
        return self.own, path


@dataclass(slots=True, kw_only=True)
class Terminal:
    """The size that programs are told."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a command may use: where it stands, what it reads and where it writes."""

    write: Write
    log: Write
    read: Callable[[], Awaitable[bytes]]
    files: Files
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    user: str = "root"
    terminal: Terminal | None = None
    commands: Mapping[str, "Command"] = field(default_factory=dict)


Command = Callable[[Process, Sequence[str]], Awaitable[int]]


async def run(process: Process, command: Sequence[str]) -> int:
    """The exit code of the command; one that is not in the table ends with 127."""
    known = process.commands.get(command[0].rpartition("/")[2])
    if known is None:
        await process.write("stderr", f"exec {command[0]} failed: No such file or directory\n".encode())
        return 127
    try:
        return await known(process, command[1:])
    except Exited as exited:
        return exited.code


async def _sh(process: Process, arguments: Sequence[str]) -> int:
    if arguments[:1] == ["-c"] and len(arguments) > 1:
        return await _script(process, arguments[1])
    code = 0
    pending = b""
    while received := await process.read():
        *lines, pending = (pending + received.replace(b"\r", b"\n")).split(b"\n")
        for line in lines:
            code = await _script(process, line.decode("utf-8", "replace"))
    return code


async def _script(process: Process, script: str) -> int:
    code = 0
    try:
        statements = list(_statements(script))
    except ValueError as error:
        await process.write("stderr", f"sh: syntax error: {error}\n".encode())
        return 2
    for words in statements:
        code = await _statement(process, [_expanded(word, process.env) for word in words])
    return code


async def _statement(process: Process, words: list[str]) -> int:
    if words[0] == "exec":
        words = words[1:]
    if words[0] == "exit":
        raise Exited(int(words[1]) if len(words) > 1 else 0)
    if len(words) > 2 and words[-2] in (">", ">&"):
        process, words = _redirected(process, words[-1]), words[:-2]
    command = process.commands.get(words[0])
    if command is None:
        await process.write("stderr", f"sh: {words[0]}: not found\n".encode())
        return 127
    return await command(process, words[1:])


def _statements(script: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=";>&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for token in (*lexer, ";"):
        if token.strip(";&") or token == "":
            words.append(token)
        elif words:
            yield words
            words = []


def _expanded(word: str, env: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: env.get(match[1], ""), word)


def _redirected(process: Process, target: str) -> Process:
    async def to_stderr(_: StreamName, data: bytes) -> None:
        await process.write("stderr", data)

    async def to_log(_: StreamName, data: bytes) -> None:
        await process.log("stderr" if target.endswith("2") else "stdout", data)

    async def to_file(_: StreamName, data: bytes) -> None:
        process.files.write(target, (process.files.read(target) or b"") + data)

    if target == "2":
        return replace(process, write=to_stderr)
    if target in ("/proc/1/fd/1", "/proc/1/fd/2"):
        return replace(process, write=to_log)
    process.files.write(target, b"")
    return replace(process, write=to_file)


async def _echo(process: Process, arguments: Sequence[str]) -> int:
    await process.write("stdout", " ".join(arguments).encode() + b"\n")
    return 0


async def _cat(process: Process, arguments: Sequence[str]) -> int:
    if not arguments:
        while received := await process.read():
            await process.write("stdout", received)
    for path in arguments:
        content = process.files.read(path)
        if content is None:
            await process.write("stderr", f"cat: can't open '{path}': No such file or directory\n".encode())
            return 1
        await process.write("stdout", content)
    return 0


async def _read(process: Process, _: Sequence[str]) -> int:
    return 0 if await process.read() else 1


async def _sleep(_: Process, __: Sequence[str]) -> int:
    await asyncio.Event().wait()  # time does not pass here; only a signal ends it
    return 0


async def _true(_: Process, __: Sequence[str]) -> int:
    return 0


async def _false(_: Process, __: Sequence[str]) -> int:
    return 1


async def _pwd(process: Process, _: Sequence[str]) -> int:
    await process.write("stdout", f"{process.working_dir}\n".encode())
    return 0


async def _printenv(process: Process, arguments: Sequence[str]) -> int:
    if arguments and arguments[0] not in process.env:
        return 1
    lines = [process.env[arguments[0]]] if arguments else [f"{name}={value}" for name, value in process.env.items()]
    await process.write("stdout", "".join(f"{line}\n" for line in lines).encode())
    return 0


async def _id(process: Process, _: Sequence[str]) -> int:
    await process.write("stdout", f"{_NUMERIC_USERS.get(process.user, process.user)}\n".encode())
    return 0


async def _stty(process: Process, _: Sequence[str]) -> int:
    if process.terminal is None:
        await process.write("stderr", b"stty: standard input: Not a tty\n")
        return 1
    await process.write("stdout", f"{process.terminal.rows} {process.terminal.cols}\n".encode())
    return 0


BUILT_IN: Mapping[str, Command] = {
    "bash": _sh,
    "cat": _cat,
    "echo": _echo,
    "env": _printenv,
    "false": _false,
    "id": _id,
    "printenv": _printenv,
    "pwd": _pwd,
    "read": _read,
    "sh": _sh,
    "sleep": _sleep,
    "stty": _stty,
    "true": _true,
}
