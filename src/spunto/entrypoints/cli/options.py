"""Arguments that many commands share, and how texts are read as values."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

OrgArgument = Annotated[str, typer.Argument(metavar="ORG", help="Id, slug or name.", show_default=False)]
MemberArgument = Annotated[
    str, typer.Argument(metavar="MEMBER", help="Id, e-mail address or name.", show_default=False)
]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Id or name.", show_default=False)]
ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="Id or name.", show_default=False)]
WorkerArgument = Annotated[str, typer.Argument(metavar="WORKER", help="Id, name, or project/name.", show_default=False)]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="May be repeated.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="May be repeated.")]
NoTags = Annotated[bool, typer.Option("--no-tags", help="Take all tags away.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the server has accepted.")]

SPAN = "DURATION"

_UNITS = {
    "": 1,
    "k": 1000,
    "m": 1000**2,
    "g": 1000**3,
    "t": 1000**4,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhdw]?)\Z", re.IGNORECASE | re.ASCII)
_SUM = re.compile(
    r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?\Z", re.IGNORECASE | re.ASCII
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\Z", re.IGNORECASE | re.ASCII)


def bytes_of(text: str) -> int:
    """`2GiB`, `512m` or plain bytes."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a size such as 512MiB or 2GiB.")
    return round(float(match[1]) * _UNITS[(match[2] or "").lower()])


def span_of(text: str) -> timedelta | None:
    """`90s`, `30m`, `1h30m`, `2d`, `1w` or plain seconds; None for what is none."""
    match, parts = _SPAN.match(text.strip()), _SUM.match(text.strip())
    try:
        if match is not None:
            return timedelta(seconds=float(match[1]) * _UNIT_SECONDS[match[2].lower()])
        if parts is None or not any(parts.groups()):
            return None
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None


def seconds_of(text: str | float) -> float:
    """Also of an option's default."""
    span = span_of(str(text))
    if span is None:
        raise typer.BadParameter(f"{text!r} is not a time span such as 90s, 30m, 1h30m or 2d.")
    return span.total_seconds()


def whole_seconds_of(text: str | float) -> int:
    return round(seconds_of(text))


def patience_of(text: str | float) -> float:
    seconds = seconds_of(text)
    if seconds < 0.1:
        raise typer.BadParameter(f"{text!r} is no time to wait in.")
    return seconds


def idle_timeout_of(text: str) -> int:
    """0 for never, which no timeout is."""
    seconds = 0 if text == "never" else whole_seconds_of(text)
    if seconds == 0 and text != "never":
        raise typer.BadParameter(f"{text!r} is no idle timeout; `never` is for none.")
    return seconds


def moment_of(text: str) -> datetime:
    """`10m` ago, or a time in RFC 3339."""
    try:
        span = span_of(text) if text[-1:].isalpha() else None
        if span is not None:
            return datetime.now(UTC) - span
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is neither a time span such as 10m nor a time in RFC 3339.") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def pairs_of(texts: Sequence[str] | None, *, option: str) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE.", param_hint=option)
        pairs[key] = value
    return pairs


def waiting(default: str, *, meaning: str = "How long to wait: 90s, 5m, 1h") -> typer.models.OptionInfo:
    """The option `--timeout`; its default is told as one would write it, where commands have it in seconds."""
    option: typer.models.OptionInfo = typer.Option(
        "--timeout",
        parser=patience_of,
        metavar=SPAN,
        help=f"{meaning}; {default} without it.",
        show_default=False,
    )
    return option


IdleTimeout = Annotated[
    int | None,
    typer.Option(
        "--idle-timeout",
        parser=idle_timeout_of,
        metavar=f"{SPAN}|never",
        help="After so long without use a worker is stopped, such as 30m: 1m to 30d.",
        show_default=False,
    ),
]
