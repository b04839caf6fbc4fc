"""A class-room service: one program, one port, a user and a worker of their own for each pupil.

    .venv/bin/python examples/classroom.py [port]

Start an agent with what it prints, then open http://127.0.0.1:8080/ada, where `ada` is any pupil's name. Its database
goes when it ends.
"""

import asyncio
import secrets
import sys
import tempfile
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from spunto.core.access.model import Actor
from spunto.core.kernel.errors import SpuntoError
from spunto.core.orgs.model import Organization
from spunto.core.projects.model import Environment, Project
from spunto.core.workers.reach import ExecRequest
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.ws.agent_doors import PATH, serve_agent

IMAGE = "localhost/spunto/worker:1"


async def greet(spunto: Spunto, teacher: Actor, school: Organization, lesson: Project, pupil: str) -> str:
    """What a command says in the pupil's own worker, which is made for it and destroyed afterwards."""
    actor = await spunto.enrolment.enrol(teacher, school.id, subject=pupil, name=pupil, email=f"{pupil}@school.example")
    worker = (await spunto.workers.spawn(actor, school.id, lesson.id)).worker
    await spunto.settled(actor, school.id, lesson.id, worker.id, max_seconds=60)
    try:
        hello = ExecRequest(command=["echo", f"hello {pupil}"])
        return (await spunto.reach.exec(actor, school.id, lesson.id, worker.id, hello)).stdout.decode()
    finally:
        await spunto.workers.destroy(actor, school.id, lesson.id, worker.id)


async def main(port: int = 8080) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with Spunto.sqlite(f"{directory}/classroom.db", public_url=f"http://127.0.0.1:{port}") as spunto:
            await serve_school(spunto, port)


async def serve_school(spunto: Spunto, port: int) -> None:
    teacher, school = await spunto.bootstrap()
    lesson = await spunto.projects.create(
        teacher, school.id, name=f"lesson {secrets.token_hex(3)}", environment=Environment(image=IMAGE)
    )
    made = await spunto.nodes.create(teacher, school.id, name=f"server {secrets.token_hex(3)}")

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith(PATH):
            return None
        try:
            said = await greet(spunto, teacher, school, lesson, request.path.strip("/") or "ada")
        except SpuntoError as error:
            return connection.respond(HTTPStatus.CONFLICT, error.message)
        return connection.respond(HTTPStatus.OK, said)

    async def attend(connection: ServerConnection) -> None:
        await serve_agent(spunto.gateway, connection)

    async with serve(attend, "127.0.0.1", port, process_request=answer, compression=None):
        url, token = f"http://127.0.0.1:{port}", made.token.reveal()
        print(f"SPUNTO_AGENT_SERVER_URL={url} SPUNTO_AGENT_TOKEN={token} spunto agent", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:2])))
