"""`spunto`: the command line's front. Commands are loaded when they run, so that `spunto --help` answers at once."""

import importlib
import json
import sys
from typing import Annotated, Any

import typer
import typer.core

from spunto.core.kernel.build import this_build
from spunto.entrypoints.cli import servers

LAZY = {
    "login": ("spunto.entrypoints.cli.login", "Sign in to a server, for the other commands."),
    "logout": ("spunto.entrypoints.cli.logout", "Forget the saved login, and end its session."),
    "org": ("spunto.entrypoints.cli.org_secrets", "Organizations and their members."),
    "key": ("spunto.entrypoints.cli.keys", "API keys, for programs."),
    "webhook": ("spunto.entrypoints.cli.webhooks", "What happens here, told to other servers."),
    "node": ("spunto.entrypoints.cli.nodes", "Servers that you bring, for workers to run on."),
    "project": ("spunto.entrypoints.cli.projects", "Templates of development environments."),
    "worker": ("spunto.entrypoints.cli.copying", "Development environments."),
    "port-forward": ("spunto.entrypoints.cli.forwarding", "Lead ports of this machine to ports of a worker."),
    "audit": ("spunto.entrypoints.cli.audit", "Show who did what in the organization, and who was refused what."),
    "events": ("spunto.entrypoints.cli.events", "Follow what happens in the organization."),
    "user": ("spunto.entrypoints.cli.users", "Your own settings."),
    "secret": ("spunto.entrypoints.cli.secrets", "Your secrets: environment variables of your workers."),
    "ssh-key": ("spunto.entrypoints.cli.ssh_keys", "Your SSH public keys."),
    "config": ("spunto.entrypoints.cli.settings", "List all settings with their values and where these come from."),
}


class LazyGroup(typer.core.TyperGroup):
    """Shows a name and a sentence for each command of LAZY, and loads the command once it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        if name in LAZY:
            found = typer.main.get_command(importlib.import_module(LAZY[name][0]).app)
        return name, found, rest


class EdgeGroup(typer.core.TyperGroup):
    """Its help ends with the settings, which are loaded for that alone."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.epilog = servers.edge_settings()
        super().format_help(ctx, formatter)


app = typer.Typer(cls=LazyGroup, help="Spunto: development workers on your own servers.", no_args_is_help=True)
app.command()(servers.up)
app.command()(servers.serve)
app.command()(servers.openapi)
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
app.command(context_settings=_PASSED_ON)(servers.agent)
app.command("worker-image", context_settings=_PASSED_ON)(servers.worker_image)
for _name, (_, _sentence) in LAZY.items():
    app.command(_name, help=_sentence)(lambda: None)

database = typer.Typer()
app.add_typer(database, name="db", help="The server's database.", no_args_is_help=True)
database.command()(servers.upgrade)
database.command("owner-token")(servers.owner_token)
database.command("sign-in-link")(servers.sign_in_link)
database.command()(servers.restored)

edges = typer.Typer(cls=EdgeGroup, invoke_without_command=True, callback=servers.edge)
app.add_typer(edges, name="edge")
edges.command("create")(servers.create_edge)
edges.command("list")(servers.list_edges)
edges.command("remove")(servers.remove_edge)

keys = typer.Typer()
app.add_typer(keys, name="keys", help="The keys that the server encrypts secrets with.", no_args_is_help=True)
keys.command("generate")(servers.generate_keys)
keys.command("rotate")(servers.rotate_keys)
keys.command("status")(servers.key_status)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"spunto {this_build()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version of this program."),
    ] = False,
) -> None:
    pass


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the version of this program."""
    build = this_build()
    shown = {"version": build.version, "commit": build.commit}
    typer.echo(json.dumps(shown) if as_json else f"spunto {build}")


def main() -> None:
    """A command line that is wrong is told in one line, and as JSON to who asked for that."""
    arguments = sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        typer.echo("Aborted.", err=True)
        sys.exit(1)
    except typer.TyperException as error:
        from spunto.entrypoints.cli.exits import ExitCode, local_problem

        if "--json" in arguments[: arguments.index("--") if "--" in arguments else None]:
            typer.echo(json.dumps(local_problem("usage", _sentence_of(error))), err=True)
        elif error.format_message():
            # Who names no command has been shown which there are.
            typer.echo(_usage_error(error), err=True)
        sys.exit(ExitCode.USAGE)


def _usage_error(error: typer.TyperException) -> str:
    sentence = " ".join(_sentence_of(error).split())
    context = getattr(error, "ctx", None)
    program = "spunto" if context is None else context.command_path
    if program == "spunto worker exec" and sentence.startswith("No such option"):
        sentence = f"{sentence.rstrip('.')}; write -- before a command that has options of its own"
    return f"error: {sentence.rstrip('.')}; see `{program} --help`."


def _sentence_of(error: typer.TyperException) -> str:
    """Without the kind of the exception that Typer puts before what it says of a choice."""
    return error.format_message().replace(": Value error, ", ": ")
