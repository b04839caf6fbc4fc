"""Whether a live server answers what the OpenAPI document says, to thousands of generated requests, good and bad."""

import copy
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import hypothesis
import requests
import schemathesis
from schemathesis.checks import CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.specs.openapi import checks
from tests.audit.figures import Figure, Section
from tests.audit.seeding import Seed
from tests.fixtures.live import Live, live_server

CASES: Final = 10_000
CHECKS: Final[list[CheckFunction]] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# What an answer may be while something that the request needs can't answer; the contract asks for it (503).
AWAY: Final = 503
# What is too much is refused as that, whatever else is wrong with it.
_CONFIG: Final = {"checks": {"negative_data_rejection": {"expected-statuses": ["4XX", AWAY]}}}
EVENT_STREAM: Final = "text/event-stream"
AnyCase: TypeAlias = Case[Any]
_USES_UP: Final = frozenset({"DELETE"})
_ALSO_USES_UP: Final = frozenset({"stopWorker", "startWorker", "drainNode", "undrainNode", "rotateNodeToken"})
_ENDS_SESSIONS: Final = frozenset({"signOut"})


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the requests. `wrong` says it by operation and kind, each once."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    by_operation: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def server_errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500 and status != AWAY)


def audit_conformance(directory: Path) -> Section:
    with live_server(directory, oidc_client_id="spunto") as live:
        began = time.monotonic()
        tally = ask_everything(live, cases=CASES)
        seconds = time.monotonic() - began
    return Section(
        title="Conformance to the OpenAPI document",
        figures=[
            Figure(name="requests", value=tally.cases, at_least=CASES),
            Figure(name="operations", value=len(tally.by_operation)),
            Figure(name="answers outside the document", value=len(tally.wrong), at_most=0),
            Figure(name="answers with 5xx, but documented 503", value=tally.server_errors, at_most=0),
            Figure(name="documented 503", value=tally.statuses[AWAY]),
            Figure(name="bad requests refused", value=tally.refused),
            Figure(name="requests a second", value=tally.cases / seconds),
        ],
        complaints=[f"{where}: {what}" for where, what in tally.wrong.items()],
    )


def ask_everything(live: Live, *, cases: int, with_random_ids: bool = True) -> Tally:
    """At least so many requests, the same share to each operation: well-formed and malformed, about what is there and,
    where that is asked for, about what is not."""
    document = closed(httpx.get(f"{live.url}/api/openapi.json").json())
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(_CONFIG))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    runs = [
        (each, mode, real)
        for each in operations
        for mode in GenerationMode
        for real in (True, False)
        if real or with_random_ids
    ]
    tally, seed = Tally(), Seed(live)
    with requests.Session() as session:
        asking = _Asking(live, seed, session, tally)
        while tally.cases < cases:
            left, before = cases - tally.cases, tally.cases
            for number, (operation, mode, real) in enumerate(runs):
                asking.run(operation, mode, real=real, examples=-(-left // len(runs)), seed=number + before)
            assert tally.cases > before, "no operation takes any request"
    seed.close()
    return tally


class _Asking:
    def __init__(self, live: Live, seed: Seed, session: requests.Session, tally: Tally) -> None:
        self._live = live
        self._seed = seed
        self._session = session
        self._tally = tally

    def run(self, operation: Any, mode: GenerationMode, *, real: bool, examples: int, seed: int) -> None:
        names = [each.name for each in operation.path_parameters]
        if not names and not real:
            return
        given = {"path_parameters": self._seed.ids(names, uses_up=False)} if names and real else {}
        try:
            strategy = operation.as_strategy(mode, **given)
            strategy.validate()
        except Exception as error:  # schemathesis has no error of its own for what can't be negated
            if mode is GenerationMode.POSITIVE:
                raise AssertionError(f"{operation.label} can't be generated") from error
            return

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=strategy)
        def ask(case: AnyCase) -> None:
            self._ask(case, names if real else [])

        try:
            ask()
        except (hypothesis.errors.Unsatisfiable, schemathesis.errors.SchemathesisError):
            # Nothing about this operation can be negated.
            assert mode is GenerationMode.NEGATIVE, operation.label

    def _ask(self, case: AnyCase, names: list[str]) -> None:
        name = case.operation.definition.raw["operationId"]
        if names:
            uses_up = case.method.upper() in _USES_UP or name in _ALSO_USES_UP
            case.path_parameters.update(self._seed.ids(names, uses_up=uses_up))
        token = self._seed.token() if name in _ENDS_SESSIONS else self._live.token
        headers = {"Authorization": f"Bearer {token}"}
        response = self._followed(case, headers) if EVENT_STREAM in _kinds_of(case) else self._called(case, headers)
        if response is None:
            return
        self._tally.cases += 1
        self._tally.by_operation[name] += 1
        self._tally.statuses[response.status_code] += 1
        self._tally.refused += (
            case.meta is not None and case.meta.generation.mode.is_negative and response.status_code >= 400
        )
        for kind, what in wrong_with(case, response):
            self._tally.wrong.setdefault(f"{name} {kind} {response.status_code}", what)

    def _called(self, case: AnyCase, headers: Mapping[str, str]) -> Response:
        return case.call(
            base_url=self._live.url, session=self._session, headers=dict(headers), allow_redirects=False, timeout=60
        )

    def _followed(self, case: AnyCase, headers: Mapping[str, str]) -> Response | None:
        """A stream that has begun is as it should be and has no end to wait for; a refusal is judged like others."""
        asked = case.as_transport_kwargs(base_url=self._live.url, headers=dict(headers))
        with self._session.request(**asked, stream=True, allow_redirects=False, timeout=60) as answer:
            if not answer.ok:
                return Response.from_requests(answer, verify=True)
            assert answer.headers["Content-Type"].startswith(EVENT_STREAM), answer.headers
        return None


def _kinds_of(case: AnyCase) -> Set[str]:
    return set(case.operation.definition.raw["responses"].get("200", {}).get("content", {}))


def wrong_with(case: AnyCase, response: Response) -> Iterator[tuple[str, str]]:
    """What the document does not say of this answer."""
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            yield type(failure).__name__, _told(failure, case, response)
    except Failure as failure:
        yield type(failure).__name__, _told(failure, case, response)
    code = _code_of(response)
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {}).get("x-codes", [])
    if code is not None and code not in documented:
        yield "UndocumentedCode", f"{code} for {case.method} {case.formatted_path}"


def _told(failure: BaseException, case: AnyCase, response: Response) -> str:
    asked = f"{case.method} {case.formatted_path} query={case.query!r} body={case.body!r}"
    return f"{failure}\n    {asked[:600]}\n    {response.content[:400]!r}"


def _code_of(response: Response) -> str | None:
    """Only problems have one; whether another type of answer is right, its own check says."""
    is_problem = response.headers.get("content-type") == ["application/problem+json"]
    return str(response.json()["code"]) if is_problem else None


def closed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with answers that have no other fields than it names: a field that nobody described is found."""
    shut = copy.deepcopy(dict(document))
    for name, component in shut["components"]["schemas"].items():
        if "properties" in component and name != "Problem":
            component.setdefault("additionalProperties", False)
    return shut
