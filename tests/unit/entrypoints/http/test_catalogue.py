"""The problem catalogue against the source: every code that is raised is in it, with its status, and no other."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Final

import spunto.entrypoints
from spunto.adapters.sql.tables.schema import CONFLICTS
from spunto.core.kernel import errors
from spunto.core.nodes import reach
from spunto.core.workers import answers
from spunto.entrypoints.http.admission import IDS
from spunto.entrypoints.http.catalogue import CATALOGUE
from spunto.entrypoints.http.errors import FRAMEWORK, STATUS
from spunto.entrypoints.serving.heads import FAULTS

SOURCE: Final = Path(spunto.entrypoints.__file__).parents[1]

# What is raised there is never an HTTP answer: other programs, starts and stops, and what happens on a node.
ELSEWHERE: Final = (
    "adapters/crypto/keyring",
    "adapters/memory/runtime",
    "adapters/runtimes/",
    "adapters/smtp/",
    "client/",
    "core/executor/",
    "core/executor/runtime.py",
    "entrypoints/cli/",
    "entrypoints/edge/",
    "entrypoints/serving/listening.py",
    "entrypoints/serving/unix_sockets.py",
    "adapters/sql/sqlite_file.py",
    "adapters/sql/urls.py",
    "core/kernel/proxies.py",
    # What edges and the operator are told.
    "core/routes/edges.py",
    "core/routes/fields.py",
    "core/routes/gateway.py",
    "core/routes/questions.py",
    "core/secrets/rotation.py",
    "entrypoints/serving/data_directory.py",
    "entrypoints/serving/databases.py",
    "entrypoints/serving/secret_settings.py",
    "entrypoints/edge/",
    "entrypoints/keys.py",
    "entrypoints/library.py",
    "entrypoints/neighbours.py",
    "entrypoints/server.py",
    "entrypoints/serving/settings.py",
    "entrypoints/serving/unix_sockets.py",
    "testing/",
)
# Raised beside what is an HTTP answer, and met by no client.
INSIDE: Final = frozenset(
    {
        "bad_question",
        "database_in_use",
        "database_revision",
        "base_domain_invalid",
        "edge_name_taken",
        "invalid_settings",
        "lease_lost",
        "node_contended",
        "node_token_not_good",
        "replica_away",
        "replica_ticket_not_good",
        "stream_ended",
    }
)


def _kinds_of_rows() -> Iterator[str]:
    """As the SQL repositories name them; deliveries are never asked for by id alone."""
    for file in (SOURCE / "adapters/sql").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Versioned":
                yield from (ast.literal_eval(each.value) for each in node.keywords if each.arg == "kind")


NOT_FOUND: Final = frozenset(f"{kind}_not_found" for kind in _kinds_of_rows()) - {
    "delivery_not_found",
    "edge_not_found",
    "route_not_found",
}
# Where the code is no literal: what it can be.
COMPUTED: Final[Mapping[tuple[str, str, str], Set[str]]] = {
    ("entrypoints/http/admission.py", "NotFound", "f'{noun}_not_found'"): {
        f"{noun}_not_found" for _, noun in IDS.values()
    },
    ("adapters/memory/rows.py", "NotFound", "f'{table.kind}_not_found'"): NOT_FOUND,
    ("adapters/sql/versioned.py", "NotFound", "f'{self._kind}_not_found'"): NOT_FOUND,
    ("adapters/sql/errors.py", "Conflict", "*named"): {code for code, _ in CONFLICTS.values()},
    ("core/nodes/reach.py", "Unavailable", "reset.code"): reach._REFUSALS,
    ("core/workers/answers.py", "Unavailable", "reset.code"): answers._PASSING,
    ("core/workers/answers.py", "QuotaExceeded", "reset.code"): {"too_many_terminals", "too_many_transfers"},
    # An agent's own socket, which is told by a close code.
    ("core/nodes/gateway.py", "Forbidden", "node.quarantine.code"): set(),
    ("core/nodes/gateway.py", "Forbidden", "problem.code"): set(),
}
KINDS: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SpuntoError) and kind is not errors.SpuntoError
}


def raised() -> dict[str, set[int]]:
    """Statuses by code, of everything under the source that makes an error of the taxonomy."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for file in sorted(SOURCE.rglob("*.py")):
        where = file.relative_to(SOURCE).as_posix()
        if not where.startswith(ELSEWHERE):
            for kind, codes in _made_in(ast.parse(file.read_text()), where):
                for code in codes:
                    found[code].add(_status_of(kind))
    for code, refused in answers._KINDS.items():
        found[code].add(STATUS[refused])
    for status, (code, _) in FRAMEWORK.items():
        found[code].add(status)
    for fault in FAULTS:
        found[fault.code].add(fault.status)
    found["internal_error"] = {500}
    return {code: statuses for code, statuses in found.items() if code not in INSIDE}


def _made_in(tree: ast.AST, where: str) -> Iterator[tuple[str, Set[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _made_by_class(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
            yield node.func.id, _codes_of(node.func.id, node.args[0], where)


def _made_by_class(node: ast.ClassDef) -> Iterator[tuple[str, Set[str]]]:
    """`super().__init__("code", …)` of a kind's subclass."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in KINDS]
    for call in ast.walk(node):
        if bases and isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
            match call.args[0]:
                case ast.Constant(value=str(code)):
                    yield bases[0], {code}


def _codes_of(kind: str, code: ast.expr, where: str) -> Set[str]:
    if kind == "StaleVersion":
        return {"stale_version"}
    match code:
        case ast.Constant(value=str(literal)):
            return {literal}
    return COMPUTED[where, kind, ast.unparse(code)]


def _status_of(kind: str) -> int:
    return next(STATUS[each] for each in KINDS[kind].__mro__ if each in STATUS)


def test_the_catalogue_has_every_code_that_is_raised_and_no_other() -> None:
    codes = set(raised())

    assert (codes - set(CATALOGUE), set(CATALOGUE) - codes) == (set(), set()), "see entrypoints/http/catalogue.py"


def test_the_catalogue_knows_each_codes_status() -> None:
    known = {code: {entry.status, entry.also or entry.status} for code, entry in CATALOGUE.items()}

    assert raised() == known


def test_the_catalogue_is_in_the_order_of_statuses() -> None:
    statuses = [entry.status for entry in CATALOGUE.values()]

    assert statuses == sorted(statuses)
