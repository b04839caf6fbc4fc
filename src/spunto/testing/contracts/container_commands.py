"""What every container engine adapter guarantees of commands, files and statistics."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from spunto.core.executor.runtime import (
    CommandNotStarted,
    ContainerGone,
    ContainerNotRunning,
    ContainerRuntime,
    ExecSpec,
)
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Lab, Ran, closing, read_until, result


class ContainerCommandContract:
    """Part of `ContainerRuntimeContract`."""

    @pytest.fixture
    def image(self) -> str:
        return "localhost/spunto/busybox:1"

    @pytest.fixture
    def terminal_image(self) -> str:
        return "localhost/spunto/worker:1"

    @pytest.fixture
    async def lab(self, runtime: ContainerRuntime, network: str, image: str) -> AsyncIterator[Lab]:
        lab = Lab(runtime=runtime, network=network, image=image)
        yield lab
        await lab.clear()

    # Commands.

    async def test_a_command_gives_its_output_and_exit_code(self, lab: Lab) -> None:
        name = await lab.started()

        ran = await lab.ran(name, "sh", "-c", "echo out; echo err >&2; exit 3")

        assert ran == Ran(stdout=b"out\n", stderr=b"err\n", code=3)

    async def test_a_script_that_no_shell_reads_fails(self, lab: Lab) -> None:
        name = await lab.started()

        ran = await lab.ran(name, "sh", "-c", "echo 'never closed")

        assert (ran.code, ran.stdout, b"syntax error" in ran.stderr) == (2, b"", True)

    async def test_a_command_ends_with_its_input(self, lab: Lab) -> None:
        name = await lab.started()
        sent = secrets.token_hex(100_000).encode()

        async with closing(await lab.runtime.exec(name, ExecSpec(command=["cat"]))) as cat:

            async def feed() -> None:
                for start in range(0, len(sent), 10_000):
                    await cat.write(sent[start : start + 10_000])
                await cat.write_eof()
                await cat.write_eof()

            _, ran = await asyncio.gather(feed(), result(cat))

        assert ran == Ran(stdout=sent, stderr=b"", code=0)

    async def test_writing_to_a_command_that_has_ended_is_ignored(self, lab: Lab) -> None:
        name = await lab.started()

        async with closing(await lab.runtime.exec(name, ExecSpec(command=["true"]))) as running:
            ended = await result(running)
            await running.write(b"late")
            await running.write_eof()
            await running.resize(cols=10, rows=10)

        assert ended.code == 0
        assert await running.read() is None

    async def test_a_command_that_reads_none_of_its_input_ends_all_the_same(self, lab: Lab) -> None:
        name = await lab.started()
        more_than_a_pipe_holds = b"x" * 520_000

        for _ in range(3):
            async with closing(await lab.runtime.exec(name, ExecSpec(command=["sh", "-c", "exit 3"]))) as running:
                feeding = asyncio.create_task(running.write(more_than_a_pipe_holds))
                ended = await result(running)
                feeding.cancel()
                await asyncio.wait({feeding})

            assert ended.code == 3

    async def test_an_unknown_command_is_refused_in_the_engines_words(self, lab: Lab) -> None:
        name = await lab.started()

        for tty in (False, True):
            with pytest.raises(CommandNotStarted, match="no-such-command") as refused:
                await lab.runtime.exec(name, ExecSpec(command=["no-such-command"], tty=tty))
            assert refused.value.exit_code == 127

    async def test_an_exit_code_that_shells_use_is_no_refusal(self, lab: Lab) -> None:
        name = await lab.started()

        assert await lab.ran(name, "sh", "-c", "echo x; exit 127") == Ran(stdout=b"x\n", stderr=b"", code=127)

    async def test_a_missing_working_directory_is_refused(self, lab: Lab) -> None:
        name = await lab.started()

        with pytest.raises(CommandNotStarted) as refused:
            await lab.runtime.exec(name, ExecSpec(command=["pwd"], working_dir="/none"))
        assert refused.value.exit_code in (126, 127)

    async def test_a_command_has_its_directory_user_and_environment(self, lab: Lab) -> None:
        name = await lab.started(env={"COLOUR": "green", "SIZE": "1"})

        directory = await lab.ran(name, "pwd", working_dir="/proc")
        user = await lab.ran(name, "id", "-u", user="1000")
        variables = await lab.ran(name, "sh", "-c", "echo $COLOUR $SIZE", env={"SIZE": "2"})

        assert (directory.stdout, user.stdout, variables.stdout) == (b"/proc\n", b"1000\n", b"green 2\n")

    async def test_a_terminal_knows_its_size_and_its_changes(self, lab: Lab, terminal_image: str) -> None:
        name = await lab.started(image=terminal_image)
        spec = ExecSpec(command=["sh"], tty=True, cols=101, rows=31)

        async with closing(await lab.runtime.exec(name, spec)) as shell:
            await shell.write(b"stty size\n")
            first = await read_until(shell, b"31 101")
            await shell.resize(cols=132, rows=50)
            await shell.write(b"stty size\n")
            second = await read_until(shell, b"50 132")
            await shell.write(b"exit 5\n")
            ended = await result(shell)

        assert b"31 101" in first
        assert b"50 132" in second
        assert (ended.stderr, ended.code) == (b"", 5)

    async def test_closing_a_terminal_ends_what_runs_in_it(self, lab: Lab) -> None:
        name = await lab.started()
        before = (await lab.runtime.stats(name)).pids
        shell = await lab.runtime.exec(name, ExecSpec(command=["sh"], tty=True))
        await shell.write(b"echo ready; sleep 1000\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await read_until(shell, b"ready\r\n")

        await shell.aclose()
        await shell.aclose()

        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await lab.runtime.stats(name)).pids > before:
                pass

    async def test_commands_need_a_container_that_runs(self, lab: Lab) -> None:
        spec = lab.a_spec()
        await lab.runtime.create_container(spec)

        with pytest.raises(ContainerNotRunning):
            await lab.runtime.exec(spec.name, ExecSpec(command=["true"]))
        with pytest.raises(ContainerGone):
            await lab.runtime.exec(f"{spec.name}-none", ExecSpec(command=["true"]))

    async def test_a_container_that_stops_ends_its_commands(self, lab: Lab) -> None:
        name = await lab.started()

        async with closing(await lab.runtime.exec(name, ExecSpec(command=["cat"]))) as cat:
            await lab.runtime.stop_container(name, grace_seconds=1)
            after = await cat.read()

        assert after is None

    # Files and statistics.

    async def test_a_file_can_be_put_before_the_start_and_while_running(self, lab: Lab) -> None:
        spec = lab.a_spec()
        await lab.runtime.create_container(spec)

        await lab.runtime.put_file(spec.name, "/early", b"1")
        await lab.runtime.start_container(spec.name)
        await lab.runtime.put_file(spec.name, "/proc-not/deep/late", b"2")
        await lab.runtime.put_file(spec.name, "/early", b"3")

        assert (await lab.ran(spec.name, "cat", "/early", "/proc-not/deep/late")).stdout == b"32"
        with pytest.raises(ContainerGone):
            await lab.runtime.put_file(f"{spec.name}-none", "/x", b"")

    async def test_statistics_show_what_a_running_container_uses(self, lab: Lab) -> None:
        name = await lab.started()

        first = await lab.runtime.stats(name)
        second = await lab.runtime.stats(name)

        for stats in (first, second):
            assert stats.memory_limit_bytes == lab.a_spec().memory_bytes
            assert 0 < stats.memory_bytes < stats.memory_limit_bytes
            assert 0 < stats.pids < 64
            assert 0 <= stats.cpu_percent < 100
        assert first.sampled_at < second.sampled_at

    async def test_statistics_need_a_container_that_runs(self, lab: Lab) -> None:
        name = await lab.started()
        await lab.runtime.stop_container(name, grace_seconds=1)

        with pytest.raises(ContainerNotRunning):
            await lab.runtime.stats(name)
        with pytest.raises(ContainerGone):
            await lab.runtime.stats(f"{name}-none")
