"""Metadata of the wheel: its dependencies are those of the requirements files, so that each is pinned once."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Requirements(MetadataHookInterface):
    """Fills `dependencies` and `optional-dependencies` of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Read the files; hatchling calls this for each build."""
        # pip is the second source of the embedded models' weights; environments of uv and pipx do not have it.
        metadata["dependencies"] = [*self._read("requirements.txt"), "pip"]
        metadata["optional-dependencies"] = {
            "otel": self._read("requirements-otel.txt"),
            "redis": self._read("requirements-redis.txt"),
            "mcp": self._read("requirements-mcp.txt"),
        }

    def _read(self, name: str) -> list[str]:
        lines = Path(self.root, name).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]
