"""The mixture derived from a request's steering: its values, refusals and cost."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Critic, Mixture, Model, Proposer, Verify
from synth.request import UNSTEERED, Steering
from synth.steering import UnsteerableError, check_steering_of_model, steer_mixture

NAMES = ("a", "b", "c", "d", "e")
MODELS = {name: Model(name, "http://127.0.0.1:1/v1", None, None, name) for name in NAMES}
PANEL = (Proposer("a", {"temperature": 0}, 1), Proposer("a", {}, 2), Proposer("b", {"top_p": 0.5}))
MOM = Mixture("mom", PANEL, Critic("c", ("d",), {"max_tokens": 9}, "{candidates}"), stages=(1, 2), quorum=3)


def steer(mixture: Mixture = MOM, caps: dict[str, Decimal] | None = None, **asked: Any) -> Mixture:
    return steer_mixture(mixture, Steering(**asked), MODELS, (caps or {}).get)


def refused(mixture: Mixture = MOM, **asked: Any) -> tuple[str, str]:
    with pytest.raises(UnsteerableError) as caught:
        steer(mixture, **asked)
    return caught.value.problem.param, caught.value.problem.message


def test_a_request_that_only_asks_for_shown_parts_changes_nothing() -> None:
    """A request that only asks for what is shown is answered by the configured mixture."""
    assert steer() == steer(show=frozenset({"verdict"})) == MOM


def test_members_keep_their_samples_and_params() -> None:
    """A model of the panel is asked as configured, another one plainly, in the order that the request names."""
    assert steer(panel=("d", "a")).panel == (Proposer("d"), *PANEL[:2])


@pytest.mark.parametrize(
    ("panel", "stages", "quorum"),
    [
        (("a",), (1, 1), 2),
        (("b",), (1,), 1),
        (("a", "b", "c", "d", "e"), (1, 5), 3),
        (("b", "c"), (1, 1), 2),
    ],
)
def test_stages_and_quorum_fit_the_panel(panel: tuple[str, ...], stages: tuple[int, ...], quorum: int) -> None:
    """The configured stages begin as before and end with the rest; a quorum is never more than the panel."""
    steered = steer(panel=panel)
    assert (steered.stages, steered.quorum) == (stages, quorum)
    assert sum(stages) == len(steered.panel)


def test_another_critic_keeps_the_params_and_drops_the_prompt() -> None:
    """As in config.yaml: a prompt is written for one model. The fallbacks stay, without the new critic itself."""
    assert steer(critic="e").critic == Critic("e", ("d",), {"max_tokens": 9})
    assert steer(critic="d").critic == Critic("d", (), {"max_tokens": 9})
    assert steer(critic="c").critic == MOM.critic
    assert steer(Mixture("mom", PANEL, None), critic="c").critic == Critic("c")


@pytest.mark.parametrize("word", ["", "none"])
def test_the_critic_may_be_left_out(word: str) -> None:
    """False and the word of config.yaml leave the critic out, and with it the review of what it would write."""
    steered = steer(Mixture("mom", PANEL, Critic("c"), verify=Verify("d")), critic=word)
    assert (steered.critic, steered.verify) == (None, None)


def test_no_panel_is_the_mode_direct() -> None:
    """The critic answers alone; the panel stays in the mixture, since it replaces authors that fail."""
    steered = steer(panel=())
    assert (steered.mode, steered.panel) == ("direct", PANEL)
    assert steer(panel=(), mode="direct").mode == "direct"


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"stages": (1, 1)}, "stages"),
        ({"stages": (4,)}, "stages"),
        ({"panel": (), "mode": "select"}, "mode"),
        ({"critic": "", "mode": "fuse"}, "mode"),
    ],
)
def test_an_impossible_request_is_refused_with_its_path(asked: dict[str, Any], key: str) -> None:
    """The error names the key of the request that is at fault."""
    assert refused(**asked)[0] == f"mom.{key}"


def test_combinations_that_config_refuses_are_refused() -> None:
    """The same combinations that config.yaml refuses."""
    assert refused(Mixture("mom", PANEL, Critic("c"), layers=2), stages=(1, 2))[0] == "mom.stages"
    assert refused(Mixture("mom", PANEL, Critic("c"), verify=Verify("d")), critic="d")[0] == "mom.critic"
    assert refused(Mixture("mom", PANEL, Critic("c"), mode="fuse"), critic="")[0] == "mom.critic"
    assert refused(Mixture("mom", PANEL, None), mode="fuse")[0] == "mom.mode"


def test_all_at_once_is_possible() -> None:
    """No stages ask the whole panel at once, whatever is configured."""
    assert steer(stages=()).stages == ()
    assert steer(Mixture("mom", PANEL, None, layers=2), stages=()).stages == ()


AMOUNTS = (None, Decimal("0.1"), Decimal("0.5"))


@pytest.mark.parametrize(("own", "asked", "cap"), [*product(AMOUNTS, repeat=3)])
def test_the_lowest_cost_limit_holds(own: Decimal | None, asked: Decimal | None, cap: Decimal | None) -> None:
    """A request can only lower the limit; a model that it brings in comes with its own."""
    mixture = Mixture("mom", PANEL, Critic("c"), max_cost=own)
    caps = {} if cap is None else {"e": cap}
    brought_in = steer(mixture, caps, max_cost=asked, panel=("e",))
    assert brought_in.max_cost == min((each for each in (own, asked, cap) if each is not None), default=None)
    stayed = steer(mixture, {"a": Decimal("0.01")}, max_cost=asked, panel=("a",))
    assert stayed.max_cost == min((each for each in (own, asked) if each is not None), default=None)
    assert steer(mixture, caps, critic="e").max_cost == min((each for each in (own, cap) if each), default=None)


@given(
    st.builds(
        Steering,
        mode=st.sampled_from([None, "auto", "fuse", "select", "first", "direct"]),
        panel=st.none() | st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
        critic=st.none() | st.sampled_from(["", *NAMES]),
        stages=st.none() | st.lists(st.integers(1, 3), max_size=3).map(tuple),
        max_cost=st.none() | st.decimals("0.01", 9),
    ),
    st.sampled_from([MOM, Mixture("m", PANEL, None), Mixture("m", PANEL, Critic("c"), layers=2, quorum=2)]),
)
def test_every_derived_mixture_could_be_configured(steering: Steering, mixture: Mixture) -> None:
    """Whatever is asked: it is refused by its path, or the mixture keeps the rules of config.yaml."""
    steered = problem = None
    try:
        steered = steer_mixture(mixture, steering, MODELS, lambda _: None)
    except UnsteerableError as error:
        problem = error.problem.param
    if steered is None:
        assert problem in {"mom.mode", "mom.critic", "mom.stages"}
        return
    assert steered.panel
    assert steered.authors
    assert sum(steered.stages) in (0, len(steered.panel))
    assert not (steered.stages and steered.layers > 1)
    assert (steered.quorum or 1) <= len(steered.panel)
    assert steered.critic is not None or steered.mode != "fuse"
    assert steered.critic is None or steered.critic.model not in steered.critic.fallbacks
    assert len({proposer.name for proposer in steered.panel}) == len(steered.panel)


@pytest.mark.parametrize("asked", [{"mode": "select"}, {"panel": ("a",)}, {"critic": "a"}, {"stages": (1,)}])
def test_a_single_model_has_no_panel_to_steer(asked: dict[str, Any]) -> None:
    """A key for mixtures only is refused with its path."""
    with pytest.raises(UnsteerableError, match="name a mixture"):
        check_steering_of_model(MODELS["a"], Steering(**asked))


def test_a_single_model_accepts_its_steering() -> None:
    """No panel, a limit, and what is shown are as true of a single model."""
    check_steering_of_model(MODELS["a"], Steering(panel=(), max_cost=Decimal(1), show=frozenset({"verdict"})))
    check_steering_of_model(MODELS["a"], UNSTEERED)
