"""What to do about secrets that a project needs and that may not enter: asked on a terminal, or said by an option."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from spunto.client.errors import StateConflict
from spunto.client.users import UserSecret
from spunto.client.worker_models import Worker
from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.cli.secrets import with_more
from spunto.entrypoints.cli.session import Session


class Grant(StrEnum):
    ASK = "ask"
    ONCE = "once"
    ALWAYS = "always"
    WITHOUT = "without"


GrantOption = Annotated[
    Grant,
    typer.Option(
        "--secrets",
        help="Secrets that the project needs and that may not enter: let them in once, or always, or go without.",
    ),
]

Ask = Callable[..., Awaitable[Worker]]
"""Asks the server for the worker; takes `grant_secrets` and `without_secrets`."""


async def granted(session: Session, ask: Ask, *, grant: Grant, project_id: str) -> Worker:
    """The worker, with the secrets that its owner lets in. Raises StateConflict `grant_needed` where nobody says."""
    if grant is Grant.WITHOUT:
        return await ask(without_secrets=True)
    try:
        return await ask()
    except StateConflict as refusal:
        if refusal.code != "grant_needed":
            raise
        lacking = _lacking(refusal)
        choice = _asked(session, lacking) if grant is Grant.ASK else grant
        if choice is Grant.ASK:
            raise _with_the_option(refusal) from refusal
    return await _again(session, ask, lacking, choice, project_id=project_id)


def _with_the_option(refusal: StateConflict) -> StateConflict:
    """The server's problem as it came, whose sentence says what the command line has for it."""
    told = f"{refusal.detail.rstrip('.')}; say --secrets once, always or without."
    return StateConflict(refusal.problem.model_copy(update={"detail": told}))


async def _again(
    session: Session, ask: Ask, lacking: Sequence[tuple[str, str]], choice: Grant, *, project_id: str
) -> Worker:
    held = [name for name, reason in lacking if reason != "missing"]
    missing = [name for name, reason in lacking if reason == "missing"]
    if choice is Grant.WITHOUT:
        return await ask(without_secrets=True)
    if missing and not _is_asked(session):
        raise Invalid(
            "secret_not_found",
            f"You have no secret {', '.join(missing)}: run `spunto secret set {missing[0]}`, or say --secrets without.",
        )
    if choice is Grant.ONCE:
        return await ask(grant_secrets=held, without_secrets=bool(missing) or None)
    own: list[UserSecret] = [secret async for secret in session.client.users.iter_secrets() if secret.name in held]
    for secret in own:
        await session.client.users.let_secret_into(secret.id, with_more(secret.projects, [project_id]))
    return await ask(without_secrets=bool(missing) or None)


def _asked(session: Session, lacking: Sequence[tuple[str, str]]) -> Grant:
    if not _is_asked(session):
        return Grant.ASK
    session.out.note("The project needs secrets that may not enter its workers yet:")
    for name, reason in lacking:
        told = "you have none of this name, it is left out" if reason == "missing" else "made for other projects"
        session.out.note(f"  {name}: {told}")
    session.out.note("What runs in the worker can read what is let in; whoever edits the project decides what runs.")
    answer: Any = typer.prompt("Let them in: once, always, or go without", default="once", err=True)
    try:
        return Grant(str(answer).strip().lower())
    except ValueError:
        return Grant.ASK


def _is_asked(session: Session) -> bool:
    return sys.stdin.isatty() and not session.out.as_json


def _lacking(refusal: StateConflict) -> Sequence[tuple[str, str]]:
    extra = refusal.problem.model_extra or {}
    return [(str(each.get("name")), str(each.get("reason"))) for each in extra.get("secrets", ())]
