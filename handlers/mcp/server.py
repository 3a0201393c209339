"""The MCP server's tools, on the official SDK. The only module that imports it."""

import asyncio
import signal
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from config.version import VERSION
from handlers.mcp.consult import Consultant, Question, describe_mixtures
from handlers.mcp.files import FileProblem
from upstream.gateway_client import GatewayClient, GatewayError

_INSTRUCTIONS = (
    "Consult a panel of other models for a second opinion: before a decision that is hard to undo, on a bug that "
    "resists, on a design with several ways. A consultation takes as long as its slowest member and costs several "
    "calls, so ask one complete question."
)
_READS_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=True)


def build_server(client: GatewayClient, consultant: Consultant) -> MCPServer:
    """Return a server with the tools `consult` and `list_mixtures`; `client` must be open while it runs."""
    server: MCPServer = MCPServer("mom-gateway", version=VERSION, instructions=_INSTRUCTIONS, log_level="WARNING")

    @server.tool(annotations=_READS_ONLY, structured_output=False)
    async def consult(
        ctx: Context,
        question: Annotated[str, Field(description="The whole question. The panel sees nothing of the conversation.")],
        context: Annotated[
            str, Field(description="What the panel must know: the goal, what was tried, errors, excerpts of code.")
        ] = "",
        files: Annotated[
            list[str] | None,
            Field(description="Text files to show to the panel: paths below the working folder, no hidden ones."),
        ] = None,
        mixture: Annotated[str | None, Field(description="A name of list_mixtures; default: the first.")] = None,
    ) -> str:
        """Ask a panel of models; return their joint answer, each member's answer, and the disagreements."""
        n_steps = 0

        async def report(step: str) -> None:
            nonlocal n_steps
            n_steps += 1
            await ctx.report_progress(n_steps, message=step)

        try:
            return await consultant.consult(Question(question, context, files or (), mixture or None), report)
        except (GatewayError, FileProblem) as error:
            raise ToolError(str(error)) from error

    @server.tool(annotations=_READS_ONLY, structured_output=False)
    async def list_mixtures() -> str:
        """List the mixtures that can be consulted: panel, critic, mode."""
        try:
            return describe_mixtures(await client.list_models())
        except GatewayError as error:
            raise ToolError(str(error)) from error

    return server


def serve(client: GatewayClient, consultant: Consultant) -> None:
    """Serve on standard input and output until the client closes them, or a signal ends the process."""
    # The SDK reads standard input in a thread that only the next line can wake: after Ctrl-C Python would wait for it.
    # So the signal ends the process at once, as SIGTERM does. That loses nothing: the gateway cancels the runs of a
    # connection that closes.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    async def run() -> None:
        async with client:
            await build_server(client, consultant).run_stdio_async()

    asyncio.run(run())
