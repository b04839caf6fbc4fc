"""What a real engine must show beyond the contract: limits and hardening, seen from inside the container."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest
from tests.integration.runtimes.engines import stalled_registry
from tests.integration.runtimes.real_files import RealFileContract

from spunto.adapters.runtimes.log_lines import MAX_LINE_BYTES
from spunto.core.executor.runtime import CommandNotStarted, ContainerState, ExecSpec
from spunto.testing.contracts.container_lab import PATIENCE_SECONDS, Lab, StalledImage
from spunto.testing.contracts.container_ports import LAST_WORD, Listening
from spunto.testing.contracts.container_runtime import ContainerRuntimeContract

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT AUDIT_WRITE SETFCAP
DEV_WORKER_CAPABILITIES = sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 29, 31))
CGROUP_FILES = {
    "pids": ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
    "memory": ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
}


def _a_line(length: int) -> str:
    return f"head -c {length} /dev/zero | tr '\\0' x; echo"


ECHO = """
import socket, sys, threading
address, port, last_word = sys.argv[1:]
if address == "own":
    address = socket.gethostbyname(socket.gethostname())
listening = socket.create_server((address, int(port)))
print("listening", flush=True)

def serve(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.sendall(last_word.encode())
    connection.close()

while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""


class RealEngineContract(RealFileContract, ContainerRuntimeContract):
    tells_oom = True

    @pytest.fixture
    async def listening(self) -> AsyncIterator[Listening]:
        async with AsyncExitStack() as stack:

            async def listen(lab: Lab, name: str, address: str, port: int) -> None:
                command = ("python3", "-c", ECHO, address, str(port), LAST_WORD.decode())
                program = await lab.runtime.exec(name, ExecSpec(command=command))
                stack.push_async_callback(program.aclose)
                assert await program.read() == ("stdout", b"listening\n")

            yield listen

    @pytest.fixture
    async def stalled_image(self) -> AsyncIterator[StalledImage]:
        async with stalled_registry() as image:
            yield image

    async def test_a_worker_has_the_capabilities_of_its_profile_and_seccomp(self, lab: Lab) -> None:
        name = await lab.started()

        status = await _status(lab, name)

        assert {kind: int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == dict.fromkeys(
            ("CapEff", "CapPrm", "CapBnd"), DEV_WORKER_CAPABILITIES
        )
        assert status["Seccomp"] == "2"
        assert status["NoNewPrivs"] == "0"  # sudo needs it

    async def test_a_command_that_leaves_something_running_behind_ends(self, lab: Lab) -> None:
        name = await lab.started()

        async with asyncio.timeout(10):
            ran = await lab.ran(name, "sh", "-c", "sleep 100 & echo begun; exit 3")

        assert (ran.stdout, ran.code) == (b"begun\n", 3)

    async def test_a_user_that_the_container_has_not_runs_nothing(self, lab: Lab) -> None:
        name = await lab.started()

        with pytest.raises(CommandNotStarted) as refused:
            await lab.runtime.exec(name, ExecSpec(command=["true"], user="nobody-here"))

        assert refused.value.exit_code == 126

    async def test_a_file_that_is_no_program_can_not_be_run(self, lab: Lab) -> None:
        name = await lab.started()

        codes = []
        for command in ("/etc/passwd", "/none"):
            with pytest.raises(CommandNotStarted) as refused:
                await lab.runtime.exec(name, ExecSpec(command=[command]))
            codes.append(refused.value.exit_code)

        assert codes == [126, 127]

    async def test_a_log_s_tail_has_whole_lines_however_long(self, lab: Lab) -> None:
        long, too_long = 40_000, 200_000
        lines = f"{_a_line(long)}; echo last1; {_a_line(too_long)}; echo last2; sleep 1000"
        name = await lab.started(command=["sh", "-c", lines])
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            aclosing(lab.runtime.logs(name, tail=None, since=None, follow=True)) as whole,
        ):
            async for chunk in whole:
                if chunk.line == "last2":
                    break

        found = [chunk.line for chunk in await lab.logged(name, tail=4)]
        following = lab.runtime.logs(name, tail=4, since=None, follow=True)
        async with asyncio.timeout(PATIENCE_SECONDS), aclosing(following):
            followed = [(await anext(following)).line for _ in range(4)]

        mark = f" [spunto: {too_long - MAX_LINE_BYTES} bytes of this line are left out]"
        assert found == followed == ["x" * long, "last1", "x" * MAX_LINE_BYTES + mark, "last2"]
        assert [chunk.line for chunk in await lab.logged(name, tail=3)] == found[1:]

    async def test_a_worker_has_an_init_that_passes_signals_on(self, lab: Lab) -> None:
        name = await lab.started()

        first = await lab.ran(name, "cat", "/proc/1/comm")

        assert first.stdout.strip() != b"sleep"

    async def test_a_worker_has_its_limits(self, lab: Lab) -> None:
        spec = lab.a_spec()
        name = await lab.started()

        pids = await lab.ran(name, "cat", *CGROUP_FILES["pids"])
        memory = await lab.ran(name, "cat", *CGROUP_FILES["memory"])
        files = await lab.ran(name, "sh", "-c", "ulimit -n")

        assert int(pids.stdout) == spec.pids
        assert int(memory.stdout) == spec.memory_bytes
        assert int(files.stdout) > 1024

    async def test_a_worker_that_takes_too_much_memory_is_killed_and_says_why(self, lab: Lab) -> None:
        hog = "exec tail /dev/zero"
        name = await lab.started(command=("sh", "-c", hog), memory_bytes=16 * 1024 * 1024)

        async with asyncio.timeout(60):
            async for _ in lab.runtime.logs(name, tail=0, since=None, follow=True):
                pass
        await lab.runtime.stop_container(name, grace_seconds=0)

        ended = await lab.runtime.find_container(name)
        assert ended is not None
        assert (ended.state, ended.exit_code, ended.oom_killed) == (ContainerState.EXITED, 137, self.tells_oom)

    async def test_a_busy_worker_uses_no_more_than_its_share(self, lab: Lab) -> None:
        name = await lab.started(command=("sh", "-c", "while :; do :; done"), cpu_millis=500)

        await lab.runtime.stats(name)
        stats = await lab.runtime.stats(name)

        assert 10 < stats.cpu_percent < 75

    async def test_a_worker_that_ignores_the_signal_is_killed_after_its_grace(self, lab: Lab) -> None:
        name = await lab.started(command=("sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"))
        await anext(lab.runtime.logs(name, tail=None, since=None, follow=True))

        await lab.runtime.stop_container(name, grace_seconds=0.5)

        stopped = await lab.runtime.find_container(name)
        assert stopped is not None
        assert (stopped.state, stopped.exit_code) == (ContainerState.EXITED, 137)

    async def test_a_long_line_is_cut_and_the_next_one_is_whole(self, lab: Lab) -> None:
        script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo next"
        name = await lab.started(command=("sh", "-c", script))

        log = [chunk async for chunk in lab.runtime.logs(name, tail=None, since=None, follow=True)]

        [cut, whole] = [chunk.line for chunk in log]
        mark = " [spunto: 34464 bytes of this line are left out]"
        assert (cut, whole) == ("x" * 64 * 1024 + mark, "next")

    async def test_workers_of_two_networks_do_not_reach_one_another(self, lab: Lab) -> None:
        network = lab.a_network()
        await lab.runtime.ensure_network(network)
        serving = "while :; do nc -l -p 7000 -e echo hello; done"
        server = await lab.started(network=network.name, command=("sh", "-c", serving))
        client = await lab.started(name=f"{server}-client")
        address = (await lab.ran(server, "hostname", "-i")).stdout.decode().strip()

        # It listens a moment after its start, and between two callers not at all.
        by_itself = await lab.ran(server, "sh", "-c", f"until nc -w 2 {address} 7000 < /dev/null; do :; done")
        by_neighbour = await lab.ran(client, "sh", "-c", f"for i in 1 2 3; do nc -w 1 {address} 7000 < /dev/null; done")

        assert by_itself.stdout == b"hello\n"
        assert by_neighbour.stdout == b""


async def _status(lab: Lab, name: str) -> dict[str, str]:
    status = await lab.ran(name, "cat", "/proc/self/status")
    pairs = (line.split(":", 1) for line in status.stdout.decode().splitlines())
    return {key: value.strip() for key, value in pairs}
