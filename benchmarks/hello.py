"""The reference of the listing benchmark: a Quart application that says hello, on Hypercorn and uvloop."""

import sys

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart

app = Quart(__name__)


@app.get("/")
@app.get("/readyz")
async def hello() -> str:
    return "hello"


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.accesslog = None
    uvloop.run(serve(app, config))
