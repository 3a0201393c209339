"""The floor: a bare aiohttp handler that makes the same four calls, without validation, timeouts or retries.

`/v1` asks three proposers in parallel and then a critic; `/direct` forwards one model's answer.
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
        return await forward_stream(request, session, payload)
    return web.json_response(await ask(session, payload))


async def forward_stream(request: web.Request, session: ClientSession, payload: dict[str, Any]) -> web.StreamResponse:
    """Forward the critic's stream: parse each chunk, and write it again."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    async with session.post(URL, data=json.dumps(payload), headers={"Content-Type": "application/json"}) as reply:
        await response.prepare(request)
        async for line in reply.content:
            if line.startswith(b"data: {"):
                await response.write(f"data: {json.dumps(json.loads(line[6:]))}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def forward(request: web.Request) -> web.Response:
    """Forward one call unchanged, except for the model's name."""
    body = json.loads(await request.read())
    payload = json.dumps({**body, "model": body["model"]})
    async with request.app[SESSION].post(URL, data=payload, headers={"Content-Type": "application/json"}) as reply:
        return web.Response(body=await reply.read(), status=reply.status, content_type=reply.content_type)


async def open_session(app: web.Application) -> AsyncGenerator[None]:
    """Keep one session without a connection limit, like the gateway's."""
    async with ClientSession(connector=TCPConnector(limit=0, keepalive_timeout=60)) as app[SESSION]:
        yield


async def serve() -> None:
    """Serve on a free port, and print its URL."""
    app = web.Application(client_max_size=CLIENT_MAX_SIZE)
    app.cleanup_ctx.append(open_session)
    app.router.add_post("/v1/chat/completions", mix)
    app.router.add_post("/direct/chat/completions", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201 -- read by the process that started this one
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
