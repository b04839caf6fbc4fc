"""Every code by which an edge refuses is explained."""

import ast
from pathlib import Path
from typing import Final

import spunto.entrypoints.edge.gate
from spunto.core.kernel import errors
from spunto.entrypoints.edge.pages import TITLES

SOURCE: Final = Path(spunto.entrypoints.edge.gate.__file__).parent
PAGE: Final = Path(__file__).parents[4] / "docs" / "ports.md"
KINDS: Final = {name for name, each in vars(errors).items() if isinstance(each, type)}
# Settings that can't be, which end the process; and what only the code itself meets.
INSIDE: Final = {"invalid_settings", "connection_refused"}


def codes() -> set[str]:
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {*KINDS, "__init__"}:
                found |= {str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fault":
                found |= {ast.literal_eval(each.value) for each in node.keywords if each.arg == "code"}
    return found - INSIDE


def test_every_code_stands_on_the_page_about_ports() -> None:
    text = PAGE.read_text()

    assert {each for each in codes() if f"`{each}`" not in text} == set()


def test_pages_have_titles_for_codes_that_there_are() -> None:
    asked_for = {"link_not_good", "not_owner", "node_offline"}  # the server's own

    assert set(TITLES) - codes() == asked_for
