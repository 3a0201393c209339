"""How an installation is shown, on a terminal and elsewhere."""

import io

from handlers.terminal import progress
from upstream.embedded.transfer import Transfer


def test_a_bar_is_redrawn_in_one_line() -> None:
    """Each replaces the previous one; the last one stays."""
    stream = io.StringIO()
    draw = progress.bar(stream)
    for megabytes, speed in ((0, None), (50, 2e6), (100, None)):
        draw("tiny", Transfer(megabytes * 10**6, 100 * 10**6, "", speed))
    first, second, third = stream.getvalue().replace("\n", "\r").rstrip("\r").split("\r")
    assert first == f"  tiny {'░' * 16} 0 of 100 MB\033[K"
    assert second == f"  tiny {'█' * 8}{'░' * 8} 50 of 100 MB, 2.0 MB/s, about 25 s left\033[K"
    assert third == f"  tiny {'█' * 16} 100 of 100 MB\033[K"
    assert stream.getvalue().endswith("\n")


def test_a_line_for_each_tenth_and_step() -> None:
    """For each model, without control characters."""
    stream = io.StringIO()
    tell = progress.lines(stream)
    for percent in range(30):
        tell("tiny", Transfer(percent * 10**6, 100 * 10**6, "part 2 of 2" if percent > 14 else "part 1 of 2"))
    tell("other", Transfer(0, 10**6, "", 5e5))
    assert stream.getvalue().splitlines() == [
        "tiny: installing, 0 % of 100 MB, part 1 of 2",
        "tiny: installing, 10 % of 100 MB, part 1 of 2",
        "tiny: installing, 10 % of 100 MB, part 2 of 2",
        "tiny: installing, 20 % of 100 MB, part 2 of 2",
        "other: installing, 0 % of 1 MB, 0.5 MB/s, about 2 s left",
    ]
