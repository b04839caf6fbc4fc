"""Makes volumes and home of a new container belong to its image's user, before anything of it runs.

An engine makes both for root, or copies what the image has there, whoever is to use them.
"""

import io
import tarfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from spunto.adapters.runtimes.engine_socket import EngineSocket, Refusal
from spunto.adapters.runtimes.image_user import User, passwd_with, user_of
from spunto.core.executor.runtime import EngineUnavailable

MAX_KNOWN = 256
MAX_FILE_BYTES = 1024 * 1024
_NEVER_STARTED = frozenset({"created", "configured", "initialized"})
_ROOT = frozenset({"", "0", "root"})
_BLOCK_BYTES = tarfile.BLOCKSIZE
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resident:
    """The user of an image. `luggage` is an archive of what the image lacks for a home, if anything."""

    user: User
    luggage: bytes | None


class SettlingIn:
    """What was found out of an image is remembered: a spawn of a usual one then takes two short questions more."""

    def __init__(self, socket: EngineSocket) -> None:
        self._socket = socket
        self._residents: OrderedDict[tuple[str, str], _Resident | None] = OrderedDict()
        self._fits: OrderedDict[tuple[str, str, str], bool] = OrderedDict()

    async def before_start(self, name: str) -> None:
        """Repeating is harmless, and what has once run is left as it is. Raises Refusal, EngineUnavailable."""
        inspected = await self._socket.call("GET", f"containers/{name}/json")
        said = inspected["Config"].get("User") or ""
        if inspected["State"]["Status"] not in _NEVER_STARTED or said.partition(":")[0] in _ROOT:
            return
        resident = await self._resident(name, said, inspected)
        if resident is None:
            return
        if resident.luggage is not None:
            await self._put(name, resident.luggage)
        for mount in inspected.get("Mounts") or ():
            if mount.get("Type") == "volume" and not await self._is_theirs(name, said, mount, inspected, resident.user):
                await self._put(name, _archive(_directory(mount["Destination"], resident.user)))

    async def _resident(self, name: str, said: str, inspected: Mapping[str, Any]) -> _Resident | None:
        key = (inspected["Image"], said)
        if key not in self._residents:
            _remember(self._residents, key, await self._found_out(name, said, inspected))
        return self._residents[key]

    async def _found_out(self, name: str, said: str, inspected: Mapping[str, Any]) -> _Resident | None:
        """A name that the image does not know is the engine's to refuse."""
        passwd = await self._read(name, "/etc/passwd")
        user = user_of(said, passwd=passwd, group=await self._read(name, "/etc/group"))
        if user is None or user.uid == 0:
            return None
        said_home = dict(each.partition("=")[::2] for each in inspected["Config"].get("Env") or ()).get("HOME")
        home = said_home or user.home
        owner = None if home in (None, "/") else await self._owner(name, str(home))
        if owner is not None and not (said_home or owner.uid == user.uid or owner.mode & 0o002):
            owner, home = None, None
        at_home = user.at(home)
        members = [] if owner is not None else [_directory(at_home.home or "/", user)]
        if at_home.home != user.home and not (said_home and user.home):
            members.append(_file("/etc/passwd", passwd_with(passwd, at_home)))
        return _Resident(user=at_home, luggage=_archive(*members) if members else None)

    async def _is_theirs(
        self, name: str, said: str, mount: Mapping[str, Any], inspected: Mapping[str, Any], user: User
    ) -> bool:
        """Of a volume that was made with the container the image alone decides, so it is looked at once."""
        volume = await self._socket.call("GET", f"volumes/{mount['Name']}")
        is_new = (volume.get("Labels") or {}).items() <= (inspected["Config"].get("Labels") or {}).items()
        key = (inspected["Image"], said, mount["Destination"])
        if is_new and key in self._fits:
            return self._fits[key]
        owner = await self._owner(name, mount["Destination"])
        fits = owner is not None and owner.uid == user.uid
        if is_new:
            _remember(self._fits, key, fits)
        return fits

    async def _owner(self, name: str, path: str) -> tarfile.TarInfo | None:
        """The first header of the path's archive; what comes after it is not waited for."""
        try:
            async with self._socket.stream("GET", f"containers/{name}/archive", params={"path": path}) as content:
                return tarfile.TarInfo.frombuf(await content.readexactly(_BLOCK_BYTES), "utf-8", "surrogateescape")
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise
        except tarfile.HeaderError as error:
            raise EngineUnavailable("its archive is not one") from error

    async def _read(self, name: str, path: str) -> str:
        """The file's text; empty where there is none, or none that can be."""
        try:
            async with self._socket.stream("GET", f"containers/{name}/archive", params={"path": path}) as content:
                packed = await content.read(MAX_FILE_BYTES)
                while len(packed) < MAX_FILE_BYTES and (more := await content.read(MAX_FILE_BYTES)):
                    packed += more
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                member = archive.extractfile(archive.getmembers()[0])
                return "" if member is None else member.read().decode(errors="surrogateescape")
        except Refusal as refusal:
            if refusal.status == 404:
                return ""
            raise
        except (tarfile.TarError, IndexError, KeyError):
            return ""

    async def _put(self, name: str, archive: bytes) -> None:
        await self._socket.call("PUT", f"containers/{name}/archive", params={"path": "/"}, content=archive)


_Member = tuple[tarfile.TarInfo, bytes]


def _directory(path: str, user: User) -> _Member:
    member = tarfile.TarInfo(path.strip("/"))
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    member.uid, member.gid = user.uid, user.gid
    return member, b""


def _file(path: str, text: str) -> _Member:
    content = text.encode(errors="surrogateescape")
    member = tarfile.TarInfo(path.strip("/"))
    member.size, member.mode = len(content), 0o644
    return member, content


def _archive(*members: _Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


K = TypeVar("K")


def _remember(known: "OrderedDict[K, V]", key: K, value: V) -> None:
    known[key] = value
    if len(known) > MAX_KNOWN:
        known.popitem(last=False)
