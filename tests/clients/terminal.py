"""An interactive shell: its standard input is a terminal."""

import os
import pty
from pathlib import Path

from tests.clients.processes import Ended, folder_of, run

SETTLED = {  # what asks the network, or asks back, or stays when the client has ended
    "AIDER_ANALYTICS_DISABLE": "true",
    "AIDER_CHECK_UPDATE": "false",
    "OPENCODE_DISABLE_AUTOUPDATE": "true",
    "CLINE_SANDBOX": "1",
}


async def shell(line: str, *, client: str | None, home: Path) -> Ended:
    """Run pasted commands in a shell whose PATH begins with one client's programs."""
    folders = [] if client is None else [folder_of(client) / "bin", folder_of(client) / "node_modules" / ".bin"]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    (home / "config.json").write_text('{"disable_update_warnings": true}', encoding="utf-8")
    owner, terminal = pty.openpty()
    try:
        return await run(
            *("sh", "-e", "-c", line),
            home=home,
            stdin=terminal,
            PATH=path,
            HTTPIE_CONFIG_DIR=str(home),
            LLM_USER_PATH=str(home),
            CLINE_SANDBOX_DATA_DIR=str(home / "cline"),
            **SETTLED,
        )
    finally:
        os.close(owner)
        os.close(terminal)
