"""Finds the configuration file of a start without `--config`, and the folders of the store and of weights."""

from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "config.yaml"


def user_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's folder for the configuration.

    $XDG_CONFIG_HOME/mom-gateway, or ~/.config/mom-gateway (XDG Base Directory Specification 0.8: a relative path in the
    variable is ignored).
    """
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path("~/.config").expanduser()) / "mom-gateway"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the store.

    $MOM_STATE_DIR, else $XDG_STATE_HOME/mom-gateway, else ~/.local/state/mom-gateway.
    """
    if environ.get("MOM_STATE_DIR"):
        return Path(environ["MOM_STATE_DIR"]).expanduser()
    base = Path(environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.local/state").expanduser()) / "mom-gateway"


def models_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of embedded models' weights: $MOM_MODELS_DIR, else ~/.cache/mom-gateway/models."""
    return Path(environ.get("MOM_MODELS_DIR") or "~/.cache/mom-gateway/models").expanduser()


def find_config(shipped: Path, environ: Mapping[str, str], *, is_installed: bool) -> Path:
    """Return the configuration file to use.

    A checkout uses `shipped`, the file beside gateway.py, from any folder. An installed gateway, whose `shipped` file
    belongs to its package, prefers config.yaml in the current folder, then the one in the user's folder.
    """
    candidates = [Path(FILE_NAME), user_folder(environ) / FILE_NAME] if is_installed else []
    return next((path for path in candidates if path.is_file()), shipped)
