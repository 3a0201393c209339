"""The command that installs the packages of an extra: `mcp`, `otel`, `redis`."""

import sys
from pathlib import Path


def format_install_command(extra: str, root: Path = Path(__file__).parents[1]) -> str:
    """Return the command that installs the packages of an extra beside the gateway that runs.

    `root` is the folder of the gateway's packages. A checkout has a file of requirements there and is not installed, so
    pip would look in the index for a package of the gateway's name.
    """
    requirements = root / f"requirements-{extra}.txt"
    what = f"-r {requirements}" if requirements.exists() else f"'mom-gateway[{extra}]'"
    return f"{sys.executable} -m pip install {what}"
