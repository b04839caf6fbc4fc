"""Signing a terminal in."""

import pytest

from spunto.client.errors import NotAllowed
from spunto.core.kernel.secret import Secret
from spunto.entrypoints.cli.exits import ExitCode, exit_code_of
from spunto.entrypoints.cli.login import begun
from spunto.testing.harness import Harness


async def test_where_nobody_could_approve_a_code_the_login_is_refused(spunto_harness: Harness) -> None:
    async with spunto_harness.client(Secret("none")) as client:
        with pytest.raises(NotAllowed, match="No sign-in provider is set up here") as refused:
            await begun(client)

    assert (refused.value.code, exit_code_of(refused.value)) == ("sign_in_off", ExitCode.DENIED)
