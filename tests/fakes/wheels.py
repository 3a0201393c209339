"""Wheels that pip accepts, with any data in them."""

import hashlib
import zipfile
from pathlib import Path

from upstream.embedded.catalogue import Wheel


def build(folder: Path, name: str, members: dict[str, bytes]) -> Wheel:
    """Write `<name>-1.0-py3-none-any.whl` with these members in its package; return what pins it."""
    info = f"{name}-1.0.dist-info"
    path = wheel_path(folder, name)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(f"{name}/{member}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(f"{name}==1.0", hashlib.sha256(path.read_bytes()).hexdigest())


def wheel_path(folder: Path, name: str) -> Path:
    return folder / f"{name}-1.0-py3-none-any.whl"
