"""Steering: deriving the mixture for one request from its field `mom`. Pure.

Everything behind this (capabilities, cost estimate, preflight, spending, the run itself) sees only the derived mixture,
so a steered request is checked and charged like one for a mixture of config.yaml.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from config.settings import Critic, Mixture, Model, Proposer
from synth.preflight import RequestProblem
from synth.request import Steering

NO_CRITIC = "none"
"""The name that stands for no critic, as in config.yaml, unless a model has it."""


class UnsteerableError(Exception):
    """A request asks its mixture or model for something that it cannot do."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.problem = RequestProblem(f"mom.{key}", message)


def steer_mixture(
    mixture: Mixture,
    steering: Steering,
    models: Mapping[str, Model],
    find_cap: Callable[[str], Decimal | None],
) -> Mixture:
    """Return the mixture for a request. Raises UnsteerableError if none fits. Names in `steering` must be known models.

    `find_cap` returns the `max_cost` of a model that is asked by its own name: it holds for a model that the request
    brings into the mixture, otherwise a client could avoid a limit by naming the model here.
    """
    steered = _steer_critic(_steer_panel(mixture, steering), steering, models)
    steered = _steer_mode(_steer_stages(steered, steering), steering)
    added = sorted(steered.used_models - mixture.used_models)
    limits = [mixture.max_cost, steering.max_cost, *(find_cap(name) for name in added)]
    return replace(steered, max_cost=min((limit for limit in limits if limit is not None), default=None))


def check_steering_of_model(model: Model, steering: Steering) -> None:
    """Raise UnsteerableError if a request steers a single model by more than limits and what is shown."""
    asked: Mapping[str, object] = {
        "mode": steering.mode,
        "panel": steering.panel or None,
        "critic": steering.critic,
        "stages": steering.stages,
    }
    for key, value in asked.items():
        if value is not None:
            raise UnsteerableError(key, f"is for mixtures, and {model.name} is a model; name a mixture as `model`")


def _steer_panel(mixture: Mixture, steering: Steering) -> Mixture:
    """Return the mixture with the panel that is asked for: its own members keep their samples and params."""
    if not steering.panel:
        return mixture
    panel: list[Proposer] = []
    for name in steering.panel:
        own = [proposer for proposer in mixture.panel if proposer.model == name]
        panel += own or [Proposer(name)]
    quorum = None if mixture.quorum is None else min(mixture.quorum, len(panel))
    return replace(mixture, panel=tuple(panel), quorum=quorum)


def _steer_critic(mixture: Mixture, steering: Steering, models: Mapping[str, Model]) -> Mixture:
    """Return the mixture with the critic that is asked for.

    As in config.yaml, another critic does not inherit the prompt, which was written for one model.
    """
    name = steering.critic
    if name is None or name in mixture.critics[:1]:
        return mixture
    if not name or (name == NO_CRITIC and name not in models):
        return replace(mixture, critic=None, verify=None)
    if mixture.verify is not None and mixture.verify.model == name:
        raise UnsteerableError("critic", f"{name} reviews the answers of {mixture.name} (verify); name another model")
    before = mixture.critic or Critic(name)
    fallbacks = tuple(each for each in before.fallbacks if each != name)
    return replace(mixture, critic=Critic(name, fallbacks, before.params))


def _steer_stages(mixture: Mixture, steering: Steering) -> Mixture:
    """Return the mixture with the stages that are asked for; those of config.yaml are fitted to another panel."""
    size = len(mixture.panel)
    if steering.stages is None:
        return replace(mixture, stages=_fit_stages(mixture.stages, size)) if steering.panel else mixture
    if steering.stages and sum(steering.stages) != size:
        total = sum(steering.stages)
        raise UnsteerableError("stages", f"must add up to the {size} proposers of the panel, not to {total}")
    if steering.stages and mixture.layers > 1:
        raise UnsteerableError("stages", f"cannot be used with the layers of {mixture.name}, which ask the whole panel")
    return replace(mixture, stages=steering.stages)


def _fit_stages(stages: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Return stages for a panel of another size: the same beginning, and the rest of the panel in the last one."""
    fitted: list[int] = []
    for stage in stages:
        fitted.append(min(stage, size - sum(fitted)))
        if sum(fitted) == size:
            return tuple(fitted)
    return (*fitted[:-1], fitted[-1] + size - sum(fitted)) if fitted else ()


def _steer_mode(mixture: Mixture, steering: Steering) -> Mixture:
    mode = steering.mode or mixture.mode
    if steering.refuses_panel:
        if steering.mode not in (None, "direct"):
            raise UnsteerableError("mode", f"must be direct or left out beside `panel: false`, is {steering.mode}")
        mode = "direct"
    asked = "mode" if steering.mode is not None else "critic" if steering.critic is not None else None
    if mode == "fuse" and mixture.critic is None and asked is not None:
        raise UnsteerableError(asked, "fuse needs a critic, which writes the answer; name one, or set another mode")
    return replace(mixture, mode=mode)
