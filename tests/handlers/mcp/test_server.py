"""The MCP server, driven by the official SDK's client."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from handlers.mcp.consult import Consultant
from handlers.mcp.server import build_server
from tests.fakes import FakeUpstream
from tests.fakes.breaks import hang
from tests.handlers.mcp.test_consult import COMPARISON, gateway_of
from tests.processes import PATIENCE_S, ROOT, process
from upstream.gateway_client import GatewayClient


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def over_stdio(url: str, folder: Path) -> Client:
    """Return a client of `gateway.py mcp`, started as an agent starts it."""
    arguments = [str(ROOT / "gateway.py"), "mcp", "--url", url]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, cwd=folder)
    return Client(stdio_client(parameters))


@asynccontextmanager
async def in_process(url: str, folder: Path) -> AsyncGenerator[Client]:
    """Give a client of the server in this process."""
    async with GatewayClient(url) as gateway, Client(build_server(gateway, Consultant(gateway, folder))) as client:
        yield client


async def test_a_panel_is_consulted_over_stdio(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Tools are listed with their arguments, progress arrives while the panel works, files are the folder's."""
    (tmp_path / "a.py").write_text("a = 1\n")
    steps: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(f"{progress:.0f} {message}")

    async with (
        asyncio.timeout(PATIENCE_S),
        gateway_of(upstream) as gateway,
        over_stdio(gateway.url, tmp_path) as client,
    ):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        mixtures = await client.call_tool("list_mixtures", {})
        arguments = {"question": "Why?", "context": "It fails.", "files": ["a.py"], "mixture": "mom"}
        consulted = await client.call_tool("consult", arguments, progress_callback=note)
        refused = await client.call_tool("consult", {"question": "Why?", "files": ["../a.py"]})
    assert tools.keys() == {"consult", "list_mixtures"}
    assert tools["consult"].input_schema["required"] == ["question"]
    assert tools["consult"].input_schema["properties"].keys() == arguments.keys()
    assert "- mom (default): panel a, b, d; critic c" in text_of(mixtures)
    assert text_of(consulted).startswith("Both.\n\n---\nHow it was decided: written by the critic c")
    assert COMPARISON in text_of(consulted)
    assert consulted.structured_content is None
    assert steps[0] == "1 asking a, b, d"
    assert [int(step.split()[0]) for step in steps] == list(range(1, len(steps) + 1))
    assert "a.py\n```\na = 1\n```" in upstream.requests_for("a")[0].body["messages"][0]["content"]
    assert refused.is_error
    assert "is outside" in text_of(refused)


async def test_a_gateway_that_does_not_run_is_an_error_of_the_tool(tmp_path: Path) -> None:
    """With the remedy; the server stays, and works as soon as the gateway does."""
    async with in_process("http://127.0.0.1:9", tmp_path) as client:
        for tool, arguments in (("list_mixtures", {}), ("consult", {"question": "Why?"})):
            failed = await client.call_tool(tool, arguments)
            assert failed.is_error
            assert "no gateway answers at http://127.0.0.1:9" in text_of(failed)


async def test_a_cancelled_call_is_cancelled_upstream(upstream: FakeUpstream, tmp_path: Path) -> None:
    """An interrupted agent causes no further cost."""
    async with gateway_of(upstream) as gateway, over_stdio(gateway.url, tmp_path) as client:
        upstream.script("a", hang())
        calling = asyncio.create_task(client.call_tool("consult", {"question": "Why?"}))
        await upstream.wait_for(3)
        (hanging,) = upstream.requests_for("a")
        calling.cancel()
        await asyncio.wait([calling])
        async with asyncio.timeout(PATIENCE_S):
            await hanging.disconnected.wait()


async def test_an_interrupt_ends_the_server() -> None:
    """At once, though its standard input stays open; agents send one before they send worse."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    async with asyncio.timeout(PATIENCE_S), process("mcp", stdin=PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(request).encode() + b"\n")
        assert b"mom-gateway" in await child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert await child.wait() == -signal.SIGINT
