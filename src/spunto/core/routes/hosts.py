"""Which host name leads to which subject and port, and which address a port of a subject has."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from spunto.core.kernel.errors import NotFound
from spunto.core.kernel.ids import bare

CODE_PORT: Final = 8080
CODE: Final = "code"
DEFAULT_BASE_DOMAIN: Final = "w.localhost"

RESERVED_PATH: Final = "/.spunto/"
"""Below it every host answers for the edge, never for the subject."""
CALLBACK_PATH: Final = f"{RESERVED_PATH}cb"
"""`?code=…&next=…`: where the server sends a browser back to, with a code to be redeemed."""
LINK_PATH: Final = f"{RESERVED_PATH}link"
"""`?token=…`: what a signed link leads to, with its token."""
TUNNEL_PATH: Final = f"{RESERVED_PATH}tunnel"
"""A WebSocket here is a connection to the port, for any protocol."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_PORT: Final = 65_535
# [0-9] and not \d, which takes the digits of every script.
_WORKER: Final = re.compile(r"(worker-(0|[1-9][0-9]{0,8})-([0-7][0-9a-hjkmnp-tv-z]{25}))-([1-9][0-9]{0,4}|code)\Z")
_DOMAIN_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_MAX_HOST_CHARACTERS: Final = 253
_LONGEST_LABEL: Final = len(f"worker-999999999-{'z' * 26}-65535.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTarget:
    """What a host name leads to: a port of the subject with these 26 characters.

    `label` is the same for all ports of one subject (`worker-3-01…`). `is_code` is the browser's editor, which has
    a name of its own beside its port's.
    """

    subject: str
    index: int
    port: int
    label: str
    is_code: bool = False


def target_of(host: str, *, base_domain: str) -> HostTarget | None:
    """None for every host that is no subject's; `host` is in lower case, without a port and without a final dot."""
    head, dot, rest = host.partition(".")
    if not dot or rest != base_domain:
        return None
    return next((target for parse in _PARSERS if (target := parse(head)) is not None), None)


def _worker(label: str) -> HostTarget | None:
    match = _WORKER.match(label)
    if match is None:
        return None
    slug, index, subject, port = match.groups()
    if port == CODE:
        return HostTarget(subject=subject, index=int(index), port=CODE_PORT, label=slug, is_code=True)
    if int(port) > MAX_PORT:
        return None
    return HostTarget(subject=subject, index=int(index), port=int(port), label=slug)


# Most specific first: one parser for each kind of subject that can be reached.
_PARSERS: Final[Sequence[Callable[[str], HostTarget | None]]] = (_worker,)


def require_port(port: int) -> None:
    """Raises NotFound `port_not_found`."""
    if not 1 <= port <= MAX_PORT:
        raise NotFound("port_not_found", f"{port} is no port; they are numbers from 1 to {MAX_PORT}.")


def slug_of(index: int, worker_id: str) -> str:
    """What the host names of all the worker's ports begin with."""
    return f"worker-{index}-{bare(worker_id)}"


def base_domain_problem(domain: str) -> str | None:
    """Why subjects can't have their hosts below it, in words that complete "The base domain …"; None for a good one."""
    labels = domain.split(".")
    if not all(_DOMAIN_LABEL.match(label) for label in labels) or labels[-1].isdecimal():
        return "must be a domain name in lower case, without a port and without a final dot"
    if len(domain) > _MAX_HOST_CHARACTERS - _LONGEST_LABEL:
        return f"must have at most {_MAX_HOST_CHARACTERS - _LONGEST_LABEL} characters"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where subjects are reached from outside; `port` is None where it is the scheme's own."""

    scheme: Literal["http", "https"]
    base_domain: str
    port: int | None = None

    def host_of(self, index: int, worker_id: str, port: int | Literal["code"]) -> str:
        return f"{slug_of(index, worker_id)}-{port}.{self.base_domain}"

    def url_of(self, index: int, worker_id: str, port: int | Literal["code"]) -> str:
        """The origin, without a path."""
        return self.origin_of(self.host_of(index, worker_id, port))

    def pattern_of(self, index: int, worker_id: str) -> str:
        """The origin of any port, which stands in it as `{port}`."""
        return self.origin_of(f"{slug_of(index, worker_id)}-{{port}}.{self.base_domain}")

    def origin_of(self, host: str) -> str:
        """As browsers reach a host of ours; `host` has no port."""
        return f"{self.scheme}://{host}{self._port}"

    @property
    def _port(self) -> str:
        return "" if self.port in (None, _DEFAULT_PORTS[self.scheme]) else f":{self.port}"
