"""Reads the text files of a configuration, config.yaml and .env, with one sentence for each way it can fail."""

import codecs
from pathlib import Path

from config.source.problems import ConfigError

MAX_BYTES = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, *, missing: str) -> str:
    """Return the content of a UTF-8 file, without a byte order mark.

    Raises ConfigError with the cause and the remedy if it cannot be read; `missing` is the remedy if it does not exist.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: file not found: {missing}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, not a file") from None
    except PermissionError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES >> 10} KiB: is it a configuration file?")
    if content.startswith(_UTF16):
        raise ConfigError(f"{path}:1: is UTF-16, not UTF-8: save the file with the encoding UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8: save the file with the encoding UTF-8") from None
