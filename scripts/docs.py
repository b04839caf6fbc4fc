"""Writes the pages of docs/ that are made from the code: `python -m scripts.docs`; `make docs` calls it."""

import asyncio
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from spunto.core.access.policy import POLICY, Action, Role, Scope
from spunto.entrypoints.describing import described_application
from spunto.entrypoints.http.catalogue import CATALOGUE
from spunto.entrypoints.http.openapi.document import endpoints_of
from spunto.entrypoints.http.openapi.naming import TAGS, tag_of
from spunto.entrypoints.http.openapi.paths import Endpoint
from spunto.entrypoints.http.openapi.problems import scopes_of
from spunto.entrypoints.serving.endpoints import WEBSOCKETS, Access
from spunto.entrypoints.serving.settings import Settings

FOLDER: Final = Path(__file__).parents[1] / "docs"

ERRORS: Final = """# Errors

Made by `make docs` from `src/spunto/entrypoints/http/catalogue.py`.

Every error is an RFC 9457 problem, `application/problem+json`:

```json
{
  "type": "urn:spunto:error:worker_name_taken",
  "code": "worker_name_taken",
  "title": "Worker name taken",
  "status": 409,
  "detail": "The project has a worker of this name already.",
  "instance": "urn:spunto:request:0f8fad5bd9cb469fa16570867728950e",
  "requestId": "0f8fad5bd9cb469fa16570867728950e"
}
```

Programs look at `code`, which never changes its meaning; people read `detail`. Some codes bring more fields, which
are named below. `requestId` is also the header `X-Request-Id`, and stands in every log line that the request caused.
A WebSocket is refused by the same problems before its upgrade, and afterwards closed with 4000 and the status.
Whoever asks for `text/html`, as a browser does that goes to an address, gets the same as a page.
"""
WHOSE: Final = """\
Beyond that, members change, stop, start, rebuild and destroy what is their own, and admins what is anybody's: a project
is its creator's, a worker its owner's. Only its owner enters a worker (terminal, exec, ports, git); admins enter one
that an organization's key owns, which is audited. The log of a worker and the output of its set-up (`outputTail` in
`setupStatus`) are shown to its owner, and to admins, whose looks are audited; lists show them to the owner alone. Its
state and figures are every member's."""

PERMISSIONS: Final = """# Permissions

Made by `make docs` from the table of endpoints (`src/spunto/entrypoints/serving/endpoints.py`) and the policy
(`src/spunto/core/access/policy.py`), which the server itself asks.

A session may do what its user's role in the organization allows; roles are `owner` > `admin` > `member`. An API key may
do what its scopes and its owner's role *both* allow: it passes when it holds one of the scopes in the row. `*` stands
for all scopes; `x:write` and `x:exec` include `x:read`. *Session* means that no API key may do it. What belongs to
another organization is answered like what is not there.
"""


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    endpoints = endpoints_of(asyncio.run(described_application(Settings())))
    return {"errors.md": errors_page(), "permissions.md": permissions_page(endpoints)}


def errors_page() -> str:
    lines = [ERRORS]
    for status, entries in groupby(sorted(CATALOGUE.items(), key=lambda each: (each[1].status, each[0])), _status):
        lines += [f"## {status}", "", "| code | meaning | way out |", "|---|---|---|"]
        lines += [f"| `{code}` | {entry.meaning} | {entry.way_out} |" for code, entry in entries]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def permissions_page(endpoints: list[Endpoint]) -> str:
    lines = [PERMISSIONS]
    by_tag = {tag: [each for each in endpoints if tag_of(each.path) == tag] for tag in TAGS}
    for tag, found in by_tag.items():
        if found:
            lines += [f"## {tag}", "", "| endpoint | operation | action | role | scopes |", "|---|---|---|---|---|"]
            lines += [_row(f"{each.method} {each.path}", each.operation_id, each.access) for each in found]
            lines.append("")
    lines += ["## WebSockets", "", "| endpoint | | action | role | scopes |", "|---|---|---|---|---|"]
    lines += [_row(path, "", access) for path, access in WEBSOCKETS.items()]
    lines += ["", "A terminal's live log (`mode=logs`) is `worker_output.read` alone.", "", WHOSE, ""]
    return "\n".join(lines + _scopes())


def _status(entry: tuple[str, object]) -> int:
    return CATALOGUE[entry[0]].status


def _row(endpoint: str, operation_id: str, access: Access) -> str:
    shown = f"| `{endpoint}` | {f'`{operation_id}`' if operation_id else ''} |"
    if not isinstance(access, Action):
        return f"{shown} {_WORDS[access]} | | |"
    rule = POLICY[access]
    scopes = scopes_of(access)
    told = "session" if rule.session_only else "any" if len(scopes) == len(Scope) else _quoted(scopes)
    return f"{shown} `{access.value}` | {rule.role.value} | {told} |"


_WORDS: Final[Mapping[str, str]] = {"public": "open to everybody", "own_credential": "a credential of its own"}


def _scopes() -> list[str]:
    lines = ["## Scopes", "", "| scope | actions, for a role that allows them |", "|---|---|"]
    for scope in Scope:
        actions = [action.value for action in Action if _allows(scope, action)]
        lines.append(f"| `{scope.value}` | {_quoted(actions) or 'none yet'} |")
    return [*lines, "", f"Roles: {', '.join(f'`{role.value}`' for role in Role)}.", ""]


def _allows(scope: Scope, action: Action) -> bool:
    rule = POLICY[action]
    return not rule.session_only and any(scope.covers(needed) for needed in rule.scopes)


def _quoted(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def main() -> int:
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
