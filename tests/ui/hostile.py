"""Traces that no gateway has written: the longest words, the largest numbers, foreign scripts, HTML in every name."""

from string import ascii_uppercase
from typing import Any

from handlers.traces import schema
from handlers.traces.schema import Trace
from tests.handlers.traces.samples import sample

WORD = "antidisestablishmentarianism" * 20
MARKUP = "<b onclick=alert(1)>x</b>\"'><script>window.owned = true</script><img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "מהי טבלת גיבוב? \u202eexe.txt\u202c ومتى تبطئ؟ " * 4
CODE = f"""Here:

```python
x = {"1 + " * 400}1
```

| a | b |
|---|---|
| {WORD} | 2 |

[link](javascript:alert(1)) ![picture](http://example.com/a.png)
"""
HUGE = 10**18


def hostile_traces() -> list[Trace]:
    """Return one trace of each kind."""
    return [_words("words", WORD), _words("markup", MARKUP), _words("direction", RIGHT_TO_LEFT), *_bare(), _many()]


def _call(model: str, role: str = "proposer", **fields: Any) -> schema.Call:
    attempt = schema.Attempt("ok", status=200, started_s=0.001, first_byte_s=3.0, ended_s=12_345_678.9)
    times = {"outcome": "ok", "started_s": 0.001, "ended_s": 12_345_678.9}
    used = {"prompt_tokens": HUGE, "completion_tokens": HUGE, "cost": 1e15 / 3}
    return schema.Call(role=role, model=model, attempts=[attempt], **{**times, **used, **fields})


def _words(name: str, word: str) -> Trace:
    """Return a trace with one word in place of every text."""
    first, second = f"{word} 1", f"{word} 2"
    text = f"{CODE}\n\n{word}"
    return sample(
        f"chatcmpl-{name}",
        text,
        mixture=word,
        client=word,
        mode=word,
        decided_by="critic",
        candidates=[
            schema.Candidate(model=first, text=text, finding=None, finish_reason=word),
            schema.Candidate(model=second, text=word, finding=word, tool_calls=[{"function": {"name": word}}]),
        ],
        failures=[schema.ProposerFailure(model=word, kind=word, message=word)],
        evidence=schema.Evidence(
            by=word,
            n_ran=2,
            standings=[
                schema.Standing(first, 0, word, passed_all=True, output=word),
                schema.Standing(second, 1, word, word),
            ],
        ),
        authors=[
            schema.Author(
                model=word,
                role="critic",
                seed=HUGE,
                letters={"A": first, "B": second},
                messages=[{"role": word, "content": word}],
                said=schema.Completion(word, reasoning=word),
            )
        ],
        verifications=[
            schema.Verification(
                model=word,
                draft=f"a\n{word}",
                revision=f"b\n{word} {word}",
                revised=True,
                defects=[schema.Defect(word, word, word)],
            )
        ],
        answers=[schema.Answer(text=f"{text}!", reasoning=word, decided_by="critic", author=word)],
        calls=[_call(first), _call(second, outcome=word), _call(word, "critic")],
        error={"message": word, "code": word},
        timings=schema.Timings(1e9, 1e5, 1e8, 1e7),
        ledger=schema.Totals(HUGE, HUGE, cost=1e15 / 3, currency="USD"),
    )


def _bare() -> list[Trace]:
    """Return traces that have next to nothing: no candidate, no text, a body that is not JSON."""
    silent = sample("chatcmpl-silent", "", mixture=None, outcome="failed", status=502, error={"message": "all failed"})
    body = schema.Asked(body="{" + WORD)
    unread = Trace("chatcmpl-unread", time="2026-01-01T00:00:00Z", outcome="failed", status=400, request=body)
    return [silent, unread, Trace("chatcmpl-empty")]


def _many() -> Trace:
    """Return the trace of a panel of 64."""
    names = [f"member-{number}" for number in range(64)]
    letters = [f"{tens}{ones}" for tens in ("", *ascii_uppercase) for ones in ascii_uppercase]
    return sample(
        "chatcmpl-many",
        "64 of them",
        mode="fuse",
        candidates=[schema.Candidate(model=name, text=f"By {name}.\n" * 8, finding=None) for name in names],
        authors=[schema.Author("wise", "critic", letters=dict(zip(letters, names, strict=False)), seed=1)],
        answers=[schema.Answer(text="By member-3.\n" * 8, decided_by="chosen", author="member-3")],
        calls=[_call(name, ended_s=1.0 + number / 10) for number, name in enumerate(names)],
    )
