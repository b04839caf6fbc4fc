"""An error is made where it is raised: one that is kept and raised again keeps the frames of all who raised it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import spunto.core.kernel.errors
from spunto.core.kernel import errors

SOURCE = Path(spunto.core.kernel.errors.__file__).parents[2]
KINDS = {name for name, each in vars(errors).items() if isinstance(each, type)}


def kept() -> Iterator[str]:
    for file in SOURCE.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            made = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(made, ast.Call) and ast.unparse(made.func).rpartition(".")[2] in KINDS:
                yield f"{file.relative_to(SOURCE)}:{node.lineno}"


def test_no_module_keeps_an_error() -> None:
    assert list(kept()) == []
