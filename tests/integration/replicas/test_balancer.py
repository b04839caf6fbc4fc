"""The balancer of the tests itself: an open socket that it left would be blamed on whatever test runs next."""

import gc
import socket
import warnings
from contextlib import ExitStack

from tests.fixtures.balancer import running_balancer


def stop_among_new_connections() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with running_balancer([f"http://127.0.0.1:{server.getsockname()[1]}"]) as balancer:
            for _ in range(30):
                stack.enter_context(socket.create_connection(("127.0.0.1", balancer.port)))


def test_a_balancer_that_stops_among_new_connections_leaves_no_socket_open() -> None:
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always")
        for _ in range(5):
            stop_among_new_connections()
        gc.collect()

    assert [str(each.message) for each in left_open] == []
