"""The image, the unit and the proxy fit the gateway."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path, PurePath

import pytest
import yaml

from config import ConfigError, load
from config.settings import Server
from tests.layering import LAYERS, sources


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = DEPLOY / "compose"
PROVIDED = packages_distributions()
INSTALLED = {_canonical(name) for names in PROVIDED.values() for name in names}
COPIED = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)


EXTRAS = {
    PurePath("handlers/telemetry/otel.py"): "requirements-otel.txt",
    PurePath("store/redis_store.py"): "requirements-redis.txt",
    PurePath("handlers/mcp/server.py"): "requirements-mcp.txt",
}
"""The modules that need an extra."""

NOT_IN_THE_IMAGE = {"requirements-mcp.txt"}  # an agent starts the MCP server where it runs itself


def test_the_dockerfile_is_clean() -> None:
    """The linter reports nothing."""
    command: list[str | Path] = [Path(sys.executable).parent / "hadolint", "--no-color", ROOT / "Dockerfile"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_image_has_every_source_file() -> None:
    """The build context contains the copied files and no others."""
    copied = {name for line in COPIED for name in line.split()}
    assert all(path.parts[0] in copied for path in sources(ROOT))
    assert copied >= {"requirements.txt", *EXTRAS.values(), "deploy/container.yaml"} - NOT_IN_THE_IMAGE
    let_in = re.findall(r"^!(\S+?)(?:/\*\*)?$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(let_in) == copied


@pytest.mark.parametrize("requirements", ["requirements.txt", *EXTRAS.values()])
def test_imported_packages_are_required(requirements: str) -> None:
    """The image has the pinned packages and their dependencies, none of the development packages."""
    imported = {
        name
        for path, source in sources(ROOT).items()
        if EXTRAS.get(path, "requirements.txt") == requirements
        for name in _imported(source)
    }
    listed = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in {"requirements.txt", requirements})
    there = _with_what_they_bring(re.findall(r"^([\w.-]+)==", listed, re.MULTILINE))
    for name in imported - set(sys.stdlib_module_names) - set(LAYERS):
        assert there & {_canonical(each) for each in PROVIDED[name]}, f"{name} is imported, and not in {requirements}"


def _imported(source: str) -> set[str]:
    """Return the top-level names of all that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _with_what_they_bring(packages: Iterable[str]) -> set[str]:
    """Return the packages, and all that they need without any of their extras."""
    found: set[str] = set()
    left = list(packages)
    while left:
        package = _canonical(left.pop())
        if package not in found:
            found.add(package)
            needed = "\n".join(each for each in requires(package) or () if "extra ==" not in each)
            left += [each for each in re.findall(r"^[\w.-]+", needed, re.MULTILINE) if _canonical(each) in INSTALLED]
    return found


def test_the_image_needs_a_key() -> None:
    """It listens publicly, so its configuration is invalid without a key."""
    path = DEPLOY / "container.yaml"
    loaded = load(path, {"MOM_API_KEY": "a-long-secret"})
    assert loaded.server.host == "0.0.0.0"
    assert f"EXPOSE {loaded.server.port}" in DOCKERFILE
    assert f"http://127.0.0.1:{loaded.server.port}/healthz" in DOCKERFILE
    with pytest.raises(ConfigError, match="MOM_API_KEY"):
        load(path, {})


def test_the_image_has_the_models_of_config_yaml() -> None:
    """Its panel is that of config.yaml."""
    ours, there = load(ROOT / "config.yaml", {}), load(DEPLOY / "container.yaml", {"MOM_API_KEY": "a-long-secret"})
    assert there.models == ours.models
    assert [each.panel for each in there.mixtures] == [each.panel for each in ours.mixtures]


def test_compose_runs_the_image_as_documented() -> None:
    """It needs a key, listens on loopback alone, and gives the image's volume and time to stop."""
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["mom-gateway"]
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert service["environment"]["MOM_API_KEY"].startswith("${MOM_API_KEY:?")
    assert service["ports"] == [f"127.0.0.1:8000:{Server().port}"]
    (volume,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    assert [each.split(":")[1] for each in service["volumes"]] == [volume]
    assert float(service["stop_grace_period"].removesuffix("s")) >= Server().shutdown_timeout_s + 5


def test_the_unit_allows_for_a_graceful_shutdown() -> None:
    """Its commands and exit codes are those of the gateway."""
    unit = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case of keys
    unit.read(DEPLOY / "mom-gateway.service", encoding="utf-8")
    told = unit["Service"]
    assert float(told["TimeoutStopSec"]) > Server().shutdown_timeout_s + 5
    assert told["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert told["RestartPreventExitStatus"] == "2"
    _, script, option, path = told["ExecStart"].split()
    assert (PurePath(script).name, option, PurePath(path).name) == ("gateway.py", "--config", "config.yaml")


@pytest.mark.parametrize("path", ["nginx.conf", "compose/nginx.conf"])
def test_the_proxy_waits_as_long_as_the_gateway(path: str) -> None:
    """Longer than any silence; it accepts as large a body, and does not repeat requests."""
    text = (DEPLOY / path).read_text(encoding="utf-8")
    directives = dict(re.findall(r"^\s*(\w+) ([^;#\n]+);", text, re.MULTILINE))
    server = Server()
    assert float(directives["proxy_read_timeout"].rstrip("s")) > max(server.json_heartbeat_s, server.stream_heartbeat_s)
    assert float(directives["client_max_body_size"].rstrip("m")) == server.max_body_mb
    assert directives["proxy_buffering"] == "off"
    assert directives["proxy_set_header"] == "Host $host"
    assert "non_idempotent" not in directives["proxy_next_upstream"]


def test_the_compose_file_fits_the_gateway() -> None:
    """Each file that it mounts exists; every gateway is behind the proxy and scraped, and has time to end."""
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    mounted = [COMPOSE / mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert mounted
    assert all(path.exists() for path in mounted)
    gateways = {name: service for name, service in services.items() if service.get("image") == "mom-gateway"}
    assert len(gateways) == 3
    targets = [f"{name}:8000" for name in gateways]
    upstreams = (COMPOSE / "upstreams" / "gateways.conf").read_text(encoding="utf-8")
    assert re.findall(r"^server (\S+)", upstreams, re.MULTILINE) == targets
    (job,) = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert (job["job_name"], job["static_configs"]) == ("mom-gateway", [{"targets": targets}])
    settings = load(COMPOSE / "gateway.yaml", dict.fromkeys(gateways["gateway-1"]["environment"], "a-secret"))
    assert settings.has_daily_limits
    for gateway in gateways.values():
        assert float(gateway["stop_grace_period"].rstrip("s")) > settings.server.shutdown_timeout_s + 5
    assert settings.store.url is not None
    assert settings.store.url.value == "redis://default:a-secret@valkey:6379/0"
    assert "noeviction" in services["valkey"]["command"], "budgets are not a cache"


@pytest.mark.parametrize("path", ["nginx.conf", "compose/nginx.conf"])
def test_nginx_accepts_the_proxy_s_configuration(path: str, tmp_path: Path) -> None:
    """As a part of its own main configuration; the gateways' names are those of this machine here."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("needs nginx")
    upstreams = (COMPOSE / "upstreams" / "gateways.conf").read_text(encoding="utf-8")
    (tmp_path / "gateways.conf").write_text(re.sub(r"gateway-\d", "127.0.0.1", upstreams))
    text = (DEPLOY / path).read_text(encoding="utf-8").replace("/etc/nginx/upstreams", str(tmp_path))
    main = f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; {text} }}"
    (tmp_path / "main.conf").write_text(main.replace("listen 80;", "listen 127.0.0.1:8000;"))
    command = [program, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "main.conf")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr


def test_every_layer_is_a_source() -> None:
    """Otherwise the test of the image would check nothing."""
    assert {path.parts[0].removesuffix(".py") for path in sources(ROOT)} == {
        name for name in LAYERS if (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()
    }
