"""Prompt caches as providers document them."""

import pytest

from eval.agents.prompt_caches import AutomaticCache, Block, BreakpointCache, Count, PromptCache

SYSTEM, MORE = Block(b"s" * 8000), Block(b"m" * 4000)


def mark(block: Block) -> Block:
    return Block(block.data, is_breakpoint=True)


def read(cache: PromptCache, *blocks: Block) -> Count:
    count = cache.read(blocks)
    cache.keep(blocks)
    return count


def test_a_prompt_is_kept_up_to_its_breakpoints() -> None:
    """The next one finds it although the breakpoint has moved on; without breakpoints nothing is cached."""
    cache = BreakpointCache()
    assert read(cache, SYSTEM, MORE) == read(cache, SYSTEM, MORE) == Count(3000)
    assert read(cache, mark(SYSTEM), MORE) == Count(3000, 0, 2000)
    assert read(cache, SYSTEM, MORE, mark(MORE)) == Count(4000, 2000, 2000)
    assert read(cache, mark(SYSTEM), Block(b"other" * 100), MORE) == Count(3125, 2000, 0)


@pytest.mark.parametrize(("n_blocks", "cached"), [(19, 2000), (20, 0)])
def test_it_looks_back_over_twenty_blocks(n_blocks: int, cached: int) -> None:
    """And no further."""
    cache = BreakpointCache()
    read(cache, mark(SYSTEM))
    assert cache.read([SYSTEM, *[Block(b"xxxx")] * (n_blocks - 1), mark(Block(b"xxxx"))]).cached == cached


def test_short_prompts_are_not_cached() -> None:
    """Below 1,024 tokens."""
    for cache in (BreakpointCache(), AutomaticCache()):
        assert read(cache, mark(Block(b"x" * 4000))) == read(cache, mark(Block(b"x" * 4000))) == Count(1000)


def test_beginnings_are_found_in_steps() -> None:
    """Of 128 tokens, and only once the earlier request has been read."""
    cache = AutomaticCache()
    assert cache.read([SYSTEM, MORE]) == cache.read([SYSTEM, MORE]) == Count(3000)
    cache.keep([SYSTEM, MORE])
    assert cache.read([SYSTEM, Block(b"m" * 2000), Block(b"n" * 2000)]) == Count(3000, 2432)
