"""The operating system's facts about a process; Linux only, elsewhere always 0."""

from pathlib import Path

_PROC = Path("/proc")


def n_descriptors(pid: int | str = "self") -> int:
    """Return how many descriptors a process has open."""
    folder = _PROC / str(pid) / "fd"
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def rss_mb(pid: int | str = "self") -> float:
    """Return how much of a process is in memory, in MiB."""
    file = _PROC / str(pid) / "status"
    if not file.exists():
        return 0.0
    (line,) = [line for line in file.read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
