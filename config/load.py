"""A configuration file to `Settings`, or to everything that is wrong with it."""

from collections.abc import Mapping
from pathlib import Path

from config.document import Entries, Items, Scalar, read
from config.mixtures import mixtures
from config.models import model
from config.money import check_limits
from config.problems import ConfigError, Problems
from config.reader import Names, Place, Record, keys
from config.schema import ROOT
from config.servers import server
from config.settings import Settings

MAX_BYTES = 1 << 20


def load(path: Path, environ: Mapping[str, str], *, host: str | None = None, port: int | None = None) -> Settings:
    """Return the settings that a YAML file gives, with `${VAR}` taken from `environ`.

    `host` and `port` take the place of the file's. Reads the file and looks for the weights that it names, no more.
    Raises ConfigError with every problem that there is; no message holds a key or a value from `environ`.
    """
    problems = Problems(path)
    names = Names(models={}, mixtures={})
    root = Place(read(_text(path), environ, problems), "", problems, names)
    if isinstance(root.node, Scalar | Items):  # which may be a file of keys, and is not shown
        root.refuse("must be a mapping, with `models` in it")
    if not isinstance(root.node, Entries):
        raise ConfigError(*problems.messages())
    record = keys(ROOT, required=["models"])(root)
    settings = _settings(record, path, host, port)
    if len(problems):
        raise ConfigError(*problems.messages())
    return settings


def _settings(record: Record, path: Path, host: str | None, port: int | None) -> Settings:
    listening = server(record, host, port)
    models = tuple(model(entry, listening, path.parent) for entry in record.values.get("models", ()))
    asked_for = mixtures(record, record.place.names)
    check_limits(record, models, asked_for)
    return Settings(path, listening, models, asked_for)


def _text(path: Path) -> str:
    """Return what the file says; ConfigError where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file: name the configuration with --config FILE") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder: name the file in it") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): see to its permissions") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES >> 10} KiB: is it a configuration file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8: save the file with that encoding") from None
