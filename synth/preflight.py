"""What makes a request impossible for a mixture, known before any model is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.settings import Mixture, Model
from synth.contract.contract import Contract, Form
from synth.contract.json_schema import schema_problem
from synth.prompts.adapt import needs_vision
from synth.request import ChatRequest, answers_a_tool


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why a request cannot be met, and the path of the field that asks too much."""

    param: str
    message: str


def schema_fault(contract: Contract) -> Impossible | None:
    """Return what is wrong with the JSON Schema that a request gives for its answer."""
    schema = contract.schema
    problem = None if schema is None else schema_problem(schema)
    return None if problem is None else Impossible("response_format.json_schema.schema", problem)


def impossible_alone(request: ChatRequest, contract: Contract, model: Model) -> Impossible | None:
    """Return why a single model, asked for by its name, cannot meet a request, None where it can."""
    if contract.tools and "tools" not in model.capabilities:
        return Impossible("tools", f"{model.name} cannot call tools")
    if needs_vision(request.messages) and "vision" not in model.capabilities:
        return Impossible("messages", f"{model.name} cannot see images or other parts")
    return schema_fault(contract)


def impossible(
    request: ChatRequest, contract: Contract, mixture: Mixture, models: Mapping[str, Model]
) -> Impossible | None:
    """Return why a mixture cannot meet a request, None where it can."""
    if request.params.get("logprobs") and len(mixture.panel) > 1:
        members = ", ".join(mixture.panel_models)
        return Impossible("logprobs", f"is not for a mixture's answer, which has several authors; ask for {members}")
    if contract.form is Form.TOOLS and not tool_authors(mixture, models):
        message = f"no critic of {mixture.name} can call tools; give it one whose capabilities include tools"
        return Impossible("tools", message)
    asks_panel = not answers_a_tool(request) or mixture.tools_fan_out == "every_turn"
    if (
        asks_panel
        and needs_vision(request.messages)
        and not any("vision" in models[name].capabilities for name in mixture.panel_models)
    ):
        return Impossible("messages", f"no model on the panel of {mixture.name} can see images or other parts")
    return schema_fault(contract)


def tool_authors(mixture: Mixture, models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the mixture's critics that can call tools, in order."""
    authors = (mixture.critic.model, *mixture.critic.fallbacks)
    return tuple(name for name in authors if "tools" in models[name].capabilities)


def authors_of(mixture: Mixture, models: Mapping[str, Model], contract: Contract) -> tuple[str, ...]:
    """Return who may write the answer under this contract, in order."""
    if contract.form is Form.TOOLS:
        return tool_authors(mixture, models)
    return (mixture.critic.model, *mixture.critic.fallbacks)
