"""The floor: what the same four calls cost a bare aiohttp handler, which checks, times and guards nothing.

`/v1` asks three proposers in parallel and then a critic; `/direct` passes one model's answer on.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import ClientSession, TCPConnector, web

SESSION = web.AppKey("session", ClientSession)
URL = sys.argv[1] + "/chat/completions"
CLIENT_MAX_SIZE = 32 * 2**20


async def ask(session: ClientSession, payload: dict[str, Any]) -> Any:
    """Return the parsed reply to one call."""
    async with session.post(URL, data=json.dumps(payload), headers={"Content-Type": "application/json"}) as reply:
        return await reply.json()


async def mix(request: web.Request) -> web.StreamResponse:
    """Ask the panel, then the critic with the candidates in a system message, as MoA's reference code does."""
    session, body = request.app[SESSION], await request.json()
    quiet = {**body, "stream": False}
    drafts = await asyncio.gather(*(ask(session, {**quiet, "model": f"{body['model']}-{name}"}) for name in "abc"))
    texts = "\n\n".join(draft["choices"][0]["message"]["content"] for draft in drafts)
    task = {"role": "system", "content": f"Write one reply, the best that these make together:\n\n{texts}"}
    payload = {**body, "model": f"{body['model']}-critic", "messages": [task, *body["messages"]]}
    if body.get("stream"):
        return await write_on(request, session, payload)
    return web.json_response(await ask(session, payload))


async def write_on(request: web.Request, session: ClientSession, payload: dict[str, Any]) -> web.StreamResponse:
    """Stream the critic's reply on: each chunk is parsed, and written anew."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    async with session.post(URL, data=json.dumps(payload), headers={"Content-Type": "application/json"}) as reply:
        await response.prepare(request)
        async for line in reply.content:
            if line.startswith(b"data: {"):
                await response.write(f"data: {json.dumps(json.loads(line[6:]))}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def pass_on(request: web.Request) -> web.Response:
    """Pass one call on as it is, save for the model's name."""
    body = json.loads(await request.read())
    payload = json.dumps({**body, "model": body["model"]})
    async with request.app[SESSION].post(URL, data=payload, headers={"Content-Type": "application/json"}) as reply:
        return web.Response(body=await reply.read(), status=reply.status, content_type=reply.content_type)


async def session_of(app: web.Application) -> AsyncGenerator[None]:
    """Hold one session without a limit of connections, as the gateway's."""
    async with ClientSession(connector=TCPConnector(limit=0, keepalive_timeout=60)) as app[SESSION]:
        yield


async def serve() -> None:
    """Serve on any free port, and tell it."""
    app = web.Application(client_max_size=CLIENT_MAX_SIZE)
    app.cleanup_ctx.append(session_of)
    app.router.add_post("/v1/chat/completions", mix)
    app.router.add_post("/direct/chat/completions", pass_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201 -- told to who started it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
