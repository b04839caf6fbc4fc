"""What is read out of workers: listening ports, and what a command said. Their output is anybody's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spunto.core.kernel.errors import Unavailable
from spunto.core.workers import listening
from spunto.core.workers.listening import Listener
from spunto.core.workers.transcript import ExecResult, Transcript


@given(st.text())
def test_whatever_a_worker_says_is_read_without_a_failure(output: str) -> None:
    listening.parse(output)


@pytest.mark.parametrize("figure", ["\u00b2", "\u0663", "", "-1", "9" * 5000])
def test_a_port_that_is_none_is_passed_over(figure: str) -> None:
    assert listening.parse(f"LISTEN 0 1 *:{figure} *:*") == []


def test_listeners_are_read_with_their_process() -> None:
    output = """\
LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=7,fd=3),("python3",pid=8,fd=3))
LISTEN 0 128 [::1]:22 [::]:*
LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:*
LISTEN 0 128 [::1]:22 [::]:*
ESTAB 0 0 10.0.0.1:5000 10.0.0.2:80
LISTEN 0 128 nonsense 0.0.0.0:*
LISTEN 0 128 *:http *:*
LISTEN
"""

    assert listening.parse(output) == [
        Listener(port=22, address="::1", process=None),
        Listener(port=53, address="127.0.0.53%lo", process=None),
        Listener(port=8080, address="0.0.0.0", process="python3"),
    ]


def test_the_engine_s_own_dns_is_not_the_worker_s_listener() -> None:
    output = """\
LISTEN 0 4096 127.0.0.11:45941 0.0.0.0:*
LISTEN 0 128 127.0.0.11:53 0.0.0.0:* users:(("dnsmasq",pid=7,fd=3))
"""

    assert listening.parse(output) == [Listener(port=53, address="127.0.0.11", process="dnsmasq")]


def test_an_agent_s_ports_are_read_in_their_order() -> None:
    answer = b"""{"items": [
        {"port": 8080, "address": "::", "process": "node", "since": "later agents may tell more"},
        {"port": 22, "address": "127.0.0.1", "process": null},
        {"port": 22, "address": "127.0.0.1", "process": null}
    ]}"""

    assert listening.read(answer) == [
        Listener(port=22, address="127.0.0.1", process=None),
        Listener(port=8080, address="::", process="node"),
    ]


def test_an_agent_that_can_not_tell_says_so() -> None:
    assert listening.read(b'{"items": null}') is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"items": {}}',
        b'{"items": [7]}',
        b'{"items": [{"port": 0, "address": "::", "process": null}]}',
        b'{"items": [{"port": 65536, "address": "::", "process": null}]}',
        b'{"items": [{"port": "80", "address": "::", "process": null}]}',
        b'{"items": [{"port": 80, "address": null, "process": null}]}',
        b'{"items": [{"port": 80, "address": "::", "process": 7}]}',
        b'{"items": [{"port": 80, "address": "::", "process": "%s"}]}' % (b"x" * 65),
    ],
)
def test_an_agent_s_answer_that_is_none_is_not_passed_on(answer: bytes) -> None:
    with pytest.raises(Unavailable) as unreadable:
        listening.read(answer)

    assert unreadable.value.code == "node_answer_unreadable"


def test_outputs_are_kept_apart_and_the_end_is_told() -> None:
    transcript = Transcript(head_bytes=100, tail_bytes=0)
    for piece in ({"fd": 1}, b"out", {"fd": 2}, b"err", {"fd": 1}, b"put", {"exitCode": 3, "durationMs": 7}):
        transcript.add(piece)

    assert transcript.result() == ExecResult(
        exit_code=3, stdout=b"output", stderr=b"err", truncated=False, timed_out=False, duration_ms=7
    )


few = st.integers(min_value=0, max_value=50)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20))), few, few)
def test_both_ends_of_each_output_are_kept(pieces: list[tuple[int, bytes]], head_bytes: int, tail_bytes: int) -> None:
    transcript = Transcript(head_bytes=head_bytes, tail_bytes=tail_bytes)
    for fd, data in pieces:
        transcript.add({"fd": fd})
        transcript.add(data)
    transcript.add({"exitCode": 124, "durationMs": 1, "timedOut": True})

    result = transcript.result()

    whole = [b"".join(data for said_on, data in pieces if said_on == fd) for fd in (1, 2)]
    assert [result.stdout, result.stderr] == [_both_ends(each, head_bytes, tail_bytes) for each in whole]
    assert result.truncated == (max(map(len, whole)) > head_bytes + tail_bytes)
    assert (result.exit_code, result.timed_out) == (124, True)


def _both_ends(whole: bytes, head_bytes: int, tail_bytes: int) -> bytes:
    missing_bytes = len(whole) - head_bytes - tail_bytes
    if missing_bytes <= 0:
        return whole
    gap = f"\n[spunto: {missing_bytes} bytes are left out here]\n".encode()
    return whole[:head_bytes] + gap + whole[len(whole) - tail_bytes :]


@pytest.mark.parametrize(
    "piece", [b"output", {"fd": 2}, {"exitCode": None}, {"exitCode": "0"}, {"exitCode": 2**40}, {"fd": "x"}]
)
def test_an_end_that_was_never_told_is_none(piece: bytes | dict[str, object]) -> None:
    transcript = Transcript(head_bytes=10, tail_bytes=0)
    transcript.add(piece)

    with pytest.raises(Unavailable) as caught:
        transcript.result()

    assert caught.value.code == "exec_cut_off"
