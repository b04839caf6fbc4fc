"""What a person sees whose browser sends what is not read: mostly more cookies than there is room for.

Any page below the workers' domain can set cookies for all of it, so that nobody would get to a worker any more. At a
worker's host they are taken away again, as far as a server can.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from spunto.core.kernel.problem import Problem
from spunto.core.routes.hosts import Addresses
from spunto.entrypoints.edge.answers import page_answer
from spunto.entrypoints.edge.exchange import safe_next
from spunto.entrypoints.edge.http.requests import MAX_HEAD_BYTES, TOO_LARGE
from spunto.entrypoints.edge.pages import TITLES, page, page_of
from spunto.entrypoints.edge.seams import Answer, RequestHead
from spunto.entrypoints.serving.heads import CONTROL, Fault

_FLOOD_BYTES: Final = MAX_HEAD_BYTES // 2
"""Fewer cookies are not the reason, and stay."""
_MOST_TAKEN: Final = 300
_MOST_PATHS: Final = 4
_NO_STORE: Final = (b"cache-control", b"no-store")
_TAKEN: Final = (
    "It has more cookies for this address than can be read. Those that can be removed from here were removed just now: "
    "go on, several times if this comes again. If it stays, remove this site's cookies in your browser's settings."
)
_ELSEWHERE: Final = (
    "It has more cookies for this address than can be read, or the address is too long. Remove this site's cookies in "
    "your browser's settings, and open the page again."
)


def refused(request: RequestHead, fault: Fault) -> Answer:
    if fault.code == TOO_LARGE.code:
        return page_answer(fault.status, page(TITLES[fault.code], _ELSEWHERE), headers=[_NO_STORE])
    return page_answer(
        fault.status,
        page_of(Problem(code=fault.code, message=fault.detail)),
        headers=[*fault.headers, _NO_STORE],
    )


def refused_at_worker(request: RequestHead, fault: Fault, *, addresses: Addresses, app_url: str) -> Answer:
    cookies = [value for name, value in request.headers if name == b"cookie"]
    if fault.code != TOO_LARGE.code or sum(map(len, cookies)) < _FLOOD_BYTES:
        return refused(request, fault)
    taken: list[tuple[bytes, bytes]] = [
        (b"set-cookie", each) for each in islice(_endings(request, cookies, addresses), _MOST_TAKEN)
    ]
    if _is_own_site(addresses.base_domain, app_url):
        # Where browsers honour it: over https, and on this machine.
        taken.append((b"clear-site-data", b'"cookies"'))
    on = safe_next(request.target.decode("latin1"))
    return page_answer(fault.status, page(TITLES[fault.code], _TAKEN, link=(on, "Go on")), headers=[_NO_STORE, *taken])


def _endings(request: RequestHead, cookies: list[bytes], addresses: Addresses) -> Iterator[bytes]:
    """What ends each cookie that came, wherever it may have been set: a browser does not tell."""
    pairs = (pair.partition(b"=") for value in cookies for pair in value.split(b";"))
    found = dict.fromkeys(name.strip(b" \t") for name, equals, _ in pairs if equals)
    # Browsers take any other sign in a cookie's name, and what comes here may be anybody's.
    names = [name for name in found if not CONTROL.search(name)]
    host = request.host.partition(":")[0].encode("latin1")
    is_secure = addresses.scheme == "https"
    for path in _paths_of(request.target):
        for domain in (b"", b"; Domain=" + addresses.base_domain.encode(), b"; Domain=" + host):
            for name in names:
                secure = b"; Secure" if is_secure or name.startswith(b"__") else b""
                yield b"%b=; Path=%b; Max-Age=0%b%b" % (name, path, domain, secure)


def _paths_of(target: bytes) -> list[bytes]:
    """Those whose cookies the browser sends there: the whole host's first."""
    parts = [part for part in target.partition(b"?")[0].split(b"/") if part and b";" not in part]
    return [b"/", *(b"/" + b"/".join(parts[:many]) for many in range(1, min(len(parts), _MOST_PATHS) + 1))]


def _is_own_site(base_domain: str, app_url: str) -> bool:
    """Whether what browsers take for one site is workers' alone: the header takes cookies away from all of it."""
    app = urlsplit(app_url).hostname or ""
    return base_domain.count(".") == 1 and app != base_domain and not app.endswith(f".{base_domain}")
