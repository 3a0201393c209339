"""How an installation is shown, on a terminal and elsewhere."""

import io

from handlers.terminal import progress


def test_a_bar_is_redrawn_in_one_line() -> None:
    """Each replaces the previous one; the last one stays."""
    stream = io.StringIO()
    draw = progress.bar(stream)
    for megabytes in (0, 50, 100):
        draw("tiny", megabytes * 10**6, 100 * 10**6)
    first, second, third = stream.getvalue().replace("\n", "\r").rstrip("\r").split("\r")
    assert first == f"  tiny {'░' * 30} 0 of 100 MB\033[K"
    assert second == f"  tiny {'█' * 15}{'░' * 15} 50 of 100 MB\033[K"
    assert third == f"  tiny {'█' * 30} 100 of 100 MB\033[K"
    assert stream.getvalue().endswith("\n")


def test_a_line_for_each_tenth() -> None:
    """For each model, without control characters."""
    stream = io.StringIO()
    tell = progress.lines(stream)
    for percent in range(30):
        tell("tiny", percent * 10**6, 100 * 10**6)
    tell("other", 0, 10**6)
    assert stream.getvalue().splitlines() == [
        "tiny: installing, 0 % of 100 MB",
        "tiny: installing, 10 % of 100 MB",
        "tiny: installing, 20 % of 100 MB",
        "other: installing, 0 % of 1 MB",
    ]
