"""Commands: async functions that get a session, registered with the options and endings that all commands share."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from spunto.client.client import SpuntoClient
from spunto.core.kernel.errors import SpuntoError
from spunto.entrypoints.cli.credentials import effective, load, login_path
from spunto.entrypoints.cli.edge import BROKEN_PIPE
from spunto.entrypoints.cli.exits import ExitCode, exit_code_of
from spunto.entrypoints.cli.output import Output
from spunto.entrypoints.cli.session import Session

Body = TypeVar("Body", bound=Callable[..., Awaitable[int | None]])
"""Takes a session and what its signature says; what it returns is the exit code, None being success."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and errors as JSON on stderr.")]
Org = Annotated[str | None, typer.Option("--org", envvar="SPUNTO_ORG", help="Organization: id, slug or name.")]

_JSON = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
_ORG = inspect.Parameter("org_wanted", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Org)


def command(app: typer.Typer, name: str | None = None) -> Callable[[Body], Body]:
    """Register a command about one organization: it has --json and --org."""
    return _registering(app, name, _JSON, _ORG)


def plain_command(app: typer.Typer, name: str | None = None) -> Callable[[Body], Body]:
    """Register a command that is not about one organization: it has --json."""
    return _registering(app, name, _JSON)


def _registering(app: typer.Typer, name: str | None, *shared: inspect.Parameter) -> Callable[[Body], Body]:
    def register(body: Body) -> Body:
        own = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in _after_session(body)]

        def called(*, as_json: bool, org_wanted: str | None = None, **arguments: Any) -> None:
            async def in_session(out: Output) -> int | None:
                login = effective(os.environ, load(login_path(os.environ)))
                async with SpuntoClient(login.url, login.token) as client:
                    session = Session(client=client, out=out, org=org_wanted or login.org)
                    return await body(session, **arguments)

            run(in_session, as_json=as_json)

        # Typer reads the options from here (PEP 362).
        setattr(called, "__signature__", inspect.Signature([*own, *shared]))  # noqa: B010 - mypy doesn't know of it
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        called.__doc__ = body.__doc__
        app.command(name or body.__name__.replace("_", "-"))(called)
        return body

    return register


def _after_session(body: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(body).parameters.values())[1:]


def run(work: Callable[[Output], Awaitable[int | None]], *, as_json: bool) -> NoReturn:
    """Run and exit: with the code that comes out, or the one of the error."""
    out = Output(as_json=as_json)
    try:
        code = asyncio.run(_alone(work(out)))
    except SpuntoError as error:
        out.error(error)
        raise typer.Exit(exit_code_of(error)) from None
    except BrokenPipeError:
        raise typer.Exit(BROKEN_PIPE) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except asyncio.CancelledError:
        raise typer.Exit(ExitCode.TERMINATED) from None
    raise typer.Exit(code or ExitCode.OK)


async def _alone(work: Awaitable[int | None]) -> int | None:
    """The work, with a group of failures told as the first of them."""
    try:
        return await work
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
