"""The figures of docs/evaluation are those that its record gives."""

import asyncio
import shutil
import sys
from pathlib import Path

DOCS = Path("docs/evaluation")
COMMAND = (
    "--config docs/evaluation/config.yaml --mixture prose --suite prose --max-tokens 96 --offline "
    "--arms qwen2.5-coder-1.5b,qwen2.5-coder-0.5b,smollm2-135m,first,fuse,staged"
)


async def test_the_published_table_of_prose_is_made_from_the_record(tmp_path: Path) -> None:
    """A change of a prompt, of the order of candidates or of parameters asks other questions than the recorded ones."""
    shutil.copy(DOCS / "record.jsonl", tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "eval", *COMMAND.split(), "--out", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert (tmp_path / "prose-prose.md").read_text() == (DOCS / "prose-prose.md").read_text()
