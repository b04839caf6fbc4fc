"""Which ports `spunto port-forward` is given."""

import pytest
import typer

from spunto.entrypoints.cli.forwarding import ports_of


@pytest.mark.parametrize(
    ("text", "ports"), [("3000", (3000, 3000)), ("8080:3000", (8080, 3000)), ("0:65535", (0, 65535))]
)
def test_the_local_port_is_the_worker_s_unless_another_is_said(text: str, ports: tuple[int, int]) -> None:
    assert ports_of(text) == ports


@pytest.mark.parametrize("text", ["", "0", "65536", "65536:1", "1:0", "a", "1:2:3", ":1", "1:", "-1", "١", "80\n"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        ports_of(text)
