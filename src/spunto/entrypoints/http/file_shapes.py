"""How files of a worker look over HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NotRequired, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from spunto.core.specs.files import MAX_ENTRIES, MAX_PATH_BYTES, FileRequest, FileVerb
from spunto.core.workers.answers import unreadable
from spunto.entrypoints.http.requests import In, Query

Path = Annotated[str, StringConstraints(pattern=r"^/", max_length=MAX_PATH_BYTES)]
Flag = Literal["", "true"]
"""Said by being there: `?list` or `?list=true`."""
Mode = Annotated[str, StringConstraints(pattern=r"^[0-7]{3,4}$")]
FileType = Literal["file", "directory", "symlink", "other"]
_NS: Final = 1_000_000_000


class FilesQuery(Query):
    path: Path
    list_: Annotated[Flag | None, Field(alias="list")] = None
    stat: Flag | None = None
    archive: Flag | None = None
    content: Flag | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = 200
    cursor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=344)] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(each is not None for each in (self.list_, self.stat, self.archive)) > 1:
            raise PydanticCustomError("files", "Only one of list, stat and archive may be asked for")
        if self.content is not None and self.archive is None:
            raise PydanticCustomError("files", "content belongs to archive")
        if self.list_ is None and (self.cursor is not None or "limit" in self.model_fields_set):
            raise PydanticCustomError("files", "limit and cursor belong to list")
        return self

    @property
    def is_list(self) -> bool:
        return self.list_ is not None

    @property
    def is_stat(self) -> bool:
        return self.stat is not None

    @property
    def is_archive(self) -> bool:
        return self.archive is not None

    def request(self) -> FileRequest:
        if self.is_list:
            return FileRequest(verb=FileVerb.LIST, path=self.path, limit=self.limit, after=self.cursor or "")
        if self.is_stat:
            return FileRequest(verb=FileVerb.LOOK, path=self.path)
        if self.is_archive:
            return FileRequest(verb=FileVerb.PACK, path=self.path, is_content=self.content is not None)
        return FileRequest(verb=FileVerb.READ, path=self.path)


class WriteQuery(Query):
    """`create` refuses to replace what is there; `parents` makes the directories above. `as` is the name that stands
    for the first one of each path in an archive."""

    path: Path
    archive: Flag | None = None
    directory: Flag | None = None
    create: Flag | None = None
    parents: Flag | None = None
    mode: Mode | None = None
    as_: Annotated[Annotated[str, StringConstraints(pattern=r"^[^/]+$", max_length=255)] | None, Field(alias="as")] = (
        None
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.archive is not None and any(each is not None for each in (self.directory, self.create, self.mode)):
            raise PydanticCustomError("files", "archive goes with parents and as alone")
        if self.as_ is not None and self.archive is None:
            raise PydanticCustomError("files", "as belongs to archive")
        if self.directory is not None and self.create is not None:
            raise PydanticCustomError("files", "directory does not go with create")
        return self

    @property
    def is_archive(self) -> bool:
        return self.archive is not None

    @property
    def is_directory(self) -> bool:
        return self.directory is not None

    def request(self, *, if_version: str | None) -> FileRequest:
        verb = FileVerb.UNPACK if self.is_archive else FileVerb.MAKE if self.is_directory else FileVerb.WRITE
        return FileRequest(
            verb=verb,
            path=self.path,
            mode=None if self.mode is None else int(self.mode, 8),
            parents=self.parents is not None,
            if_missing=self.create is not None,
            top=self.as_,
            if_version=if_version,
        )


class RemoveQuery(Query):
    path: Path
    recursive: Flag | None = None

    def request(self, *, if_version: str | None) -> FileRequest:
        is_recursive = self.recursive is not None
        return FileRequest(verb=FileVerb.REMOVE, path=self.path, recursive=is_recursive, if_version=if_version)


class MoveIn(In):
    """`parents` makes the directories above the new path."""

    from_: Annotated[Path, Field(alias="from")]
    to: Path
    overwrite: bool = False
    parents: bool = False

    def request(self) -> FileRequest:
        return FileRequest(
            verb=FileVerb.MOVE, path=self.from_, to=self.to, overwrite=self.overwrite, parents=self.parents
        )


class FileOut(TypedDict):
    """What is at a path. `mode` is octal, `target` where a link leads; `nameBase64` is there where the name is no text,
    and `name` only looks like it then. `etag` is a file's tag: another one after each change."""

    path: str
    name: str
    type: FileType
    sizeBytes: int
    mode: str
    uid: int
    gid: int
    modifiedAt: datetime
    etag: str
    target: NotRequired[str]
    nameBase64: NotRequired[str]


class FilesOut(TypedDict):
    """In the order of their names."""

    items: list[FileOut]
    nextCursor: str | None


class UnpackedOut(TypedDict):
    """How many entries the archive held; all of them are there now."""

    entries: int


class _Told(TypedDict):
    """What a node says of a file: its own words, so that they are checked."""

    name: str
    type: FileType
    sizeBytes: Annotated[int, Field(ge=0)]
    mode: Annotated[int, Field(ge=0, le=0o7777)]
    uid: Annotated[int, Field(ge=0)]
    gid: Annotated[int, Field(ge=0)]
    modifiedNs: Annotated[int, Field(gt=-(2**63), lt=2**63)]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{1,128}$")]
    target: NotRequired[str]
    nameBase64: NotRequired[str]


_TOLD: Final = TypeAdapter(_Told)


def file_out(told: Any, path: str) -> FileOut:
    """Raises Unavailable `node_answer_unreadable`."""
    try:
        found = _TOLD.validate_python(told)
    except ValidationError as error:
        raise unreadable() from error
    shown: FileOut = {
        "path": path,
        "name": found["name"],
        "type": found["type"],
        "sizeBytes": found["sizeBytes"],
        "mode": f"{found['mode']:04o}",
        "uid": found["uid"],
        "gid": found["gid"],
        "modifiedAt": _instant(found["modifiedNs"]),
        "etag": f'"{found["version"]}"',
    }
    if "target" in found:
        shown["target"] = found["target"]
    if "nameBase64" in found:
        shown["nameBase64"] = found["nameBase64"]
    return shown


def files_out(told: Mapping[str, Any], path: str) -> FilesOut:
    """Raises Unavailable `node_answer_unreadable`."""
    above = path.rstrip("/")
    items = [
        file_out(each, f"{above}/{each.get('name')}" if isinstance(each, dict) else path) for each in told["items"]
    ]
    cursor = told.get("next")
    if not (cursor is None or isinstance(cursor, str)):
        raise unreadable()
    return {"items": items, "nextCursor": cursor}


def unpacked_out(told: Mapping[str, Any]) -> UnpackedOut:
    """Raises Unavailable `node_answer_unreadable`."""
    entries = told.get("entries")
    if not isinstance(entries, int):
        raise unreadable()
    return {"entries": entries}


def _instant(nanoseconds: int) -> datetime:
    """Whoever sets a file's time may set any; what no calendar has is shown as the nearest that it has."""
    seconds, rest = divmod(nanoseconds, _NS)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC) if nanoseconds > 0 else datetime.min.replace(tzinfo=UTC)
