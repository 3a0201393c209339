"""The command `mom-gateway`, and `python -m mom_gateway`, of an installed gateway.

In a checkout the gateway's packages (`config`, `runtime`, …) are top-level, because a reader should find them there and
`python gateway.py` should work. In site-packages such names would collide with those of others. So the wheel puts all
of them into this package's folder, and this module puts the folder first on `sys.path`: `import config` finds ours,
whatever else is installed, and nobody else's `import config` finds ours, because only this process has the folder.
In a checkout, `python -m mom_gateway` finds them one folder up.
"""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line; return the exit code."""
    here = Path(__file__).resolve().parent
    is_wheel = (here / "gateway.py").is_file()
    sys.path.insert(0, str(here if is_wheel else here.parent))
    import gateway  # noqa: PLC0415 -- only now is it on the path

    return gateway.main(is_installed=is_wheel)


if __name__ == "__main__":
    sys.exit(main())
