"""`python neighbour.py ADDRESS PORT HOST`: asks one thing after the other on a connection that is kept, in a process of
its own, so that what it measures is nobody's but the edge's.

The first line that it is given is its token; when it is given no more, it tells how many seconds each answer took.
"""

import http.client
import json
import select
import sys
import time

_PACE_SECONDS = 0.02


def main() -> None:
    address, port, host = sys.argv[1:]
    headers = {"Host": host, "Authorization": f"Bearer {sys.stdin.readline().strip()}"}
    connection = http.client.HTTPConnection(address, int(port), timeout=30)
    seconds = []
    while not select.select([sys.stdin], [], [], _PACE_SECONDS)[0]:
        begun = time.monotonic()
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.client.OK, answer.status
        seconds.append(time.monotonic() - begun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
