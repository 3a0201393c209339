"""Loads a configuration file: returns `Settings`, or raises with every problem of the file."""

from collections.abc import Mapping
from pathlib import Path

from config.reader import Names, Place, Section
from config.schema import read_root
from config.sections.aliases import resolve_targets
from config.sections.mixtures import build_mixtures
from config.sections.models import build_model
from config.sections.money import check_limits
from config.sections.servers import build_server, check_key_models
from config.settings import Settings, StoreSettings
from config.source.document import Entries, Items, Scalar, parse
from config.source.problems import ConfigError, Problems
from config.source.text_file import read_text


def load(path: Path, environ: Mapping[str, str], *, host: str | None = None, port: int | None = None) -> Settings:
    """Return the settings of a YAML file, with `${VAR}` replaced from `environ`.

    `host` and `port` override the file's. Reads this file only, and checks that weights named by a path exist.
    Raises ConfigError with every problem; no message shows a key or a value from `environ`.
    """
    problems = Problems(path)
    text = read_text(path, missing="name the configuration with --config FILE")
    root = Place(parse(text, environ, problems), "", problems, Names())
    if isinstance(root.node, Scalar | Items):  # it may be a file of keys, so no message shows it
        root.report("must be a mapping with a `models` key")
    if not isinstance(root.node, Entries):
        raise ConfigError(*problems.messages())
    settings = _build_settings(read_root(root), path, host, port)
    if len(problems):
        raise ConfigError(*problems.messages())
    return settings


def _build_settings(root: Section, path: Path, host: str | None, port: int | None) -> Settings:
    server = build_server(root, host, port)
    models = tuple(build_model(section, server, path.parent) for section in root.values.get("models", ()))
    mixtures = build_mixtures(root, root.place.names, path.parent)
    check_limits(root, models, mixtures)
    check_key_models(root)
    store: Section | None = root.values.get("store")
    store_settings = StoreSettings(**store.values_for(StoreSettings)) if store else StoreSettings()
    return Settings(path, server, models, mixtures, resolve_targets(root), store_settings)
