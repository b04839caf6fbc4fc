"""Files of a worker over HTTP: one file, a directory's list, or a tree as a tar archive; nothing is held whole."""

from typing import Final

from quart import Blueprint, Response, request

from spunto.core.access.model import Actor, OrgId
from spunto.core.kernel.errors import Invalid
from spunto.core.projects.model import ProjectId
from spunto.core.workers.model import WorkerId
from spunto.entrypoints.http.file_contents import BYTES, TAR, Asker, FileContents, if_match, version_of
from spunto.entrypoints.http.file_shapes import (
    FileOut,
    FilesOut,
    FilesQuery,
    MoveIn,
    RemoveQuery,
    UnpackedOut,
    WriteQuery,
    file_out,
    files_out,
    unpacked_out,
)
from spunto.entrypoints.http.operations import operation
from spunto.entrypoints.http.preconditions import unchanged_or
from spunto.entrypoints.http.reach import NODE_ERRORS
from spunto.entrypoints.http.requests import query, read
from spunto.entrypoints.http.responses import json_response

_PATH_ERRORS: Final = (
    *NODE_ERRORS,
    "file_not_directory",
    "file_not_found",
    "file_not_permitted",
    "files_failed",
    "files_out_of_reach",
    "not_owner",
    "path_unusable",
    "too_many_symlinks",
    "too_many_transfers",
)
_CHANGE_ERRORS: Final = (*_PATH_ERRORS, "file_busy", "file_system_full", "file_system_read_only")


def files_blueprint(contents: FileContents, *, name: str, under: str) -> Blueprint:
    """Of the workers under that path: their project's, or all of them."""
    routes = Blueprint(name, __name__, url_prefix=f"{under}/<worker_id>/files")

    @routes.get("")
    @operation(
        "Read a worker's files",
        description=(
            "The content of a file, or the part that `Range` asks for. With `list` what is in a directory, with "
            "`stat` what is there (a link itself), with `archive` all of it as a tar archive under its own name, "
            "and with `content` beside it what is in the directory. What of a tree can't be read is left out, and "
            "counted in the record `SPUNTO.unread` of the archive's last entry. Paths are the worker's, links are "
            "followed inside of it, and everything is done as the worker's user."
        ),
        query=FilesQuery,
        answers={200: (BYTES, TAR, FilesOut, FileOut), 206: BYTES},
        errors=(*_PATH_ERRORS, "file_is_directory", "file_not_regular", "range_not_satisfiable", "server_stopping"),
        tagged=True,
        operation_id="readWorkerFiles",
    )
    async def show(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = query(FilesQuery)
        asker = Asker(actor=actor, org_id=org_id, project_id=project_id, worker_id=worker_id)
        if asked.is_list:
            return json_response(files_out(await contents.ask(asker, asked.request()), asked.path))
        if asked.is_stat:
            found = await contents.ask(asker, asked.request())
            return unchanged_or(json_response(file_out(found, asked.path)), version_of(found))
        return await contents.give(asker, asked.request())

    @routes.put("")
    @operation(
        "Write a worker's file, or unpack an archive in it",
        description=(
            "The body's bytes become the file, as a whole or not at all: whoever reads it meanwhile reads what was "
            "there before. One that was there keeps its mode. With `archive` the body is a tar archive that is "
            "unpacked below the directory, each file of it by itself as a whole; links on the way are not followed. "
            "With `directory` there is no body, and the path becomes a directory."
        ),
        query=WriteQuery,
        streams_body=(BYTES,),
        answers={200: (FileOut, UnpackedOut), 201: FileOut},
        errors=(
            *_CHANGE_ERRORS,
            "archive_entry_unusable",
            "archive_unreadable",
            "content_encoding_unsupported",
            "file_exists",
            "file_is_directory",
            "file_not_regular",
            "file_too_large",
            "request_timeout",
            "tree_too_deep",
        ),
        tagged=True,
        operation_id="writeWorkerFile",
    )
    async def write(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = query(WriteQuery)
        if request.headers.get("Content-Encoding"):
            raise Invalid("content_encoding_unsupported", "A file's bytes are taken as they are, without an encoding.")
        asker = Asker(actor=actor, org_id=org_id, project_id=project_id, worker_id=worker_id)
        wanted = asked.request(if_version=if_match())
        done = await (contents.ask if asked.is_directory else contents.take)(asker, wanted)
        if asked.is_archive:
            return json_response(unpacked_out(done))
        return _written(file_out(done, asked.path), version_of(done), is_new=done.get("created") is True)

    @routes.delete("")
    @operation(
        "Remove a worker's file or directory",
        description="A link itself, and not what it leads to. A directory that is not empty needs `recursive`.",
        query=RemoveQuery,
        answers={204: None},
        errors=(*_CHANGE_ERRORS, "directory_not_empty", "tree_too_deep"),
        tagged=True,
        operation_id="removeWorkerFile",
    )
    async def remove(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asker = Asker(actor=actor, org_id=org_id, project_id=project_id, worker_id=worker_id)
        await contents.ask(asker, query(RemoveQuery).request(if_version=if_match()))
        return Response(b"", 204)

    @routes.post("/move")
    @operation(
        "Move a worker's file or directory",
        description=(
            "To another path of the same file system of the worker, at one stroke. What is there already stays, and "
            "the move is refused, without `overwrite`; with it a file makes way for a file, and an empty directory for "
            "a directory."
        ),
        body=MoveIn,
        answers={200: FileOut},
        errors=(*_CHANGE_ERRORS, "directory_not_empty", "file_exists", "file_is_directory", "file_on_other_disk"),
        examples={"body": {"from": "/workspace/draft.txt", "to": "/workspace/done/final.txt", "parents": True}},
        operation_id="moveWorkerFile",
    )
    async def move(actor: Actor, org_id: OrgId, project_id: ProjectId | None, worker_id: WorkerId) -> Response:
        asked = await read(MoveIn)
        asker = Asker(actor=actor, org_id=org_id, project_id=project_id, worker_id=worker_id)
        return json_response(file_out(await contents.ask(asker, asked.request()), asked.to))

    return routes


def _written(shown: FileOut, version: str, *, is_new: bool) -> Response:
    answer = json_response(shown, 201 if is_new else 200)
    if is_new:
        answer.headers["Location"] = request.full_path
    answer.set_etag(version)
    return answer
