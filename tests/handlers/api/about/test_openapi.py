"""The gateway's OpenAPI document is complete, and holds for generated requests."""

import asyncio
import json
import re
import sys
from pathlib import Path

from handlers.api.about.openapi import DOCUMENT
from tests.fakes import FakeUpstream, answer, status
from tests.running import model, running, settings

WAIT_S = 600.0
CHECKS = (
    "status_code_conformance",  # a 500 is not in the document
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)


async def test_the_document_has_every_path(upstream: FakeUpstream) -> None:
    """It is served, and lists exactly the paths that exist."""
    async with running(settings([model("a", upstream)])) as gateway:
        document = (await gateway.request("GET", "/openapi.json")).json
        assert gateway.app is not None
        served = {
            (re.sub(r":[^}]+", "", route.resource.canonical), route.method.lower())
            for route in gateway.app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    assert document == DOCUMENT
    assert served == {(path, method) for path, methods in document["paths"].items() for method in methods}


async def test_schemathesis_finds_nothing(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Requests within and beyond the document get documented replies, and never a 500."""
    upstream.script("a", answer("fine"), status(400), answer("fine"), status(429), answer("good"))
    document = json.loads(json.dumps(DOCUMENT))
    document["components"]["schemas"]["ChatRequest"]["properties"]["model"]["enum"] = ["mom", "b", None]
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    async with running(settings([model(name, upstream, retries=0) for name in "ab"])) as gateway:
        child = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", str(path), "--url", gateway.url, "--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing"),
            *("--max-examples", "15", "--seed", "1", "--no-shrink", "--request-timeout", "20"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(child.communicate(), WAIT_S)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    assert child.returncode == 0, out.decode()
