"""A mixture of three proposers and a critic, with scripted replies."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from config.settings import Alias, Critic, Server, Settings
from tests.fakes import FakeUpstream, Step, from_request, tool_call
from tests.running import model, settings

PANEL = ("a", "b", "c")
CRITIC = "critic"
ALIASES = (Alias("gpt-4.1", "mom"), Alias("gpt-4.1-mini", PANEL[1]))
NAMES = ["mom", *PANEL, CRITIC, *(alias.pattern for alias in ALIASES)]
"""What `GET /v1/models` lists: mixtures, models, aliases."""

VERDICT = "Forty-two \u2013 \U0001f600.\n\nThat is all."
CALL = tool_call("add", '{"a": 2,  "b":3}', call_id="call_of_critic")
_DRAFTS = ("First draft.", "Second draft.", "Third draft.")


@dataclass(frozen=True, slots=True)
class Scene:
    """What is said to a request whose messages contain `cue`: each proposer its draft, the critic its verdict.

    The drafts differ, so that the critic is asked, and only its verdict is right.
    """

    verdict: str | Step
    drafts: tuple[str | Step, str | Step, str | Step] = _DRAFTS
    cue: str = ""


def configured(upstream: FakeUpstream, server: Server | None = None) -> Settings:
    """Return settings with the mixture `mom`, whose models are asked once each, and aliases like the shipped ones."""
    models = [model(name, upstream, retries=0) for name in (*PANEL, CRITIC)]
    return settings(models, server=server, aliases=ALIASES, panel=PANEL, critic=Critic(CRITIC))


@dataclass(frozen=True, slots=True)
class Stage:
    """A running gateway and the upstream behind it."""

    url: str
    upstream: FakeUpstream

    def play(self, *scenes: Scene, critic: str = CRITIC) -> None:
        """Answer each request by the first scene whose cue it has; `critic` is the critic's id at the upstream."""
        for position, name in enumerate(PANEL):
            self.upstream.script(name, _line(scenes, _draft(position)))
        self.upstream.script(critic, _line(scenes, lambda scene: scene.verdict))

    def asked(self, name: str = CRITIC) -> list[dict[str, Any]]:
        """Return the bodies of one model's requests, in order."""
        return [request.body for request in self.upstream.requests_for(name)]


def _draft(position: int) -> Callable[[Scene], str | Step]:
    return lambda scene: scene.drafts[position]


def _line(scenes: tuple[Scene, ...], choose: Callable[[Scene], str | Step]) -> Step:
    def respond(body: Mapping[str, Any]) -> Step | str:
        said = json.dumps(body["messages"], ensure_ascii=False)
        return choose(next(scene for scene in scenes if scene.cue in said))

    return from_request(respond)
