"""What a person sees at a worker's address while there is nothing else to show: what is up, why, and what to do."""

from html import escape
from typing import Final

from spunto.core.kernel.problem import Problem
from spunto.entrypoints.serving.plain_pages import marked_up

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:12vh auto;max-width:34rem;padding:0 1rem;color:#1c1c22;"
    "background:#fbfbfa}h1{font-size:1.4rem}p{color:#4a4a55}code{background:#eceae6;padding:.1em .3em;"
    "border-radius:4px}@media(prefers-color-scheme:dark){body{background:#17171b;color:#eee}p{color:#aaa}"
    "code{background:#2a2a31}}"
)
POLICY: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(title: str, text: str, *, refresh: str | None = None, link: tuple[str, str] | None = None) -> bytes:
    """`link` is an address and its words, `refresh` says as the header of this name when to look again, and where."""
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{escape(refresh, quote=True)}">'
    way = "" if link is None else f'<p><a href="{escape(link[0], quote=True)}">{escape(link[1])}</a></p>'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><p>{marked_up(text)}</p>{way}</body></html>"
    ).encode()


TITLES: Final = {
    "host_unknown": "There is no worker here",
    "worker_stopped": "This worker is stopped",
    "worker_starting": "This worker is starting",
    "worker_error": "This worker needs attention",
    "nobody_listens": "Nothing listens here yet",
    "node_offline": "This worker's node is away",
    "server_away": "Spunto is restarting",
    "busy": "Too many are waiting",
    "rate_limited": "That was too often",
    "not_owner": "This is somebody else's",
    "link_not_good": "This link is no longer good",
    "code_not_good": "That took too long",
    "head_too_large": "Your browser sends too much",
}
REFRESHING: Final = frozenset({"worker_starting", "nobody_listens", "node_offline", "server_away", "busy"})


_REFRESH_SECONDS: Final = "2"
HELPED_BY_SIGNING_IN: Final = frozenset({"worker_stopped", "not_owner", "code_not_good", "link_not_good"})


def page_of(problem: Problem, *, sign_in: str | None = None, again: str = "") -> bytes:
    """A problem as a person reads it; what passes by itself is looked at again, at that address."""
    title = TITLES.get(problem.code, "This does not work")
    link = (sign_in, "Sign in, and go on") if sign_in is not None and problem.code in HELPED_BY_SIGNING_IN else None
    refresh = _REFRESH_SECONDS if not again else f"{_REFRESH_SECONDS};url={again}"
    return page(title, problem.message, refresh=refresh if problem.code in REFRESHING else None, link=link)
