"""The places where the configuration is looked up without `--config`."""

from pathlib import Path

import pytest

from config.locations import find_config, models_folder, state_folder, user_folder

SHIPPED = Path("/opt/package/config.yaml")


def written(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text("models: []")
    return path


def test_an_installed_gateway_looks_in_three_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, then the user's, then the file of the package."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_config(SHIPPED, environ, is_installed=True) == SHIPPED
    users = written(tmp_path / "xdg" / "mom-gateway")
    assert find_config(SHIPPED, environ, is_installed=True) == users
    written(tmp_path / "here")
    assert find_config(SHIPPED, environ, is_installed=True) == Path("config.yaml")


def test_a_checkout_uses_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder, whatever lies there."""
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find_config(SHIPPED, {}, is_installed=False) == SHIPPED


@pytest.mark.parametrize("environ", [{}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_the_user_s_folder_is_below_config_by_default(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Below ~/.config."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_folder(environ) == Path("/home/someone/.config/mom-gateway")


def test_the_folder_of_the_store() -> None:
    """Of a variable of our own, of the XDG specification, or its default."""
    assert state_folder({"MOM_STATE_DIR": "/a/b", "XDG_STATE_HOME": "/c"}) == Path("/a/b")
    assert state_folder({"XDG_STATE_HOME": "/c"}) == Path("/c/mom-gateway")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == Path("~/.local/state/mom-gateway").expanduser()


def test_the_folder_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's, which may begin with the user's home, or else the cache."""
    monkeypatch.setenv("HOME", "/home/user")
    assert models_folder({}) == models_folder({"MOM_MODELS_DIR": ""}) == Path("/home/user/.cache/mom-gateway/models")
    assert models_folder({"MOM_MODELS_DIR": "~/weights"}) == Path("/home/user/weights")
