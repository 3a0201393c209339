"""What makes a request impossible for a mixture, known before any model is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.settings import Mixture, Model
from synth.adapt import needs_vision
from synth.contract import Contract, Form, contract_of
from synth.request import ChatRequest
from synth.schemas import schema_problem


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why a request cannot be met, and the path of the field that asks too much."""

    param: str
    message: str


def schema_fault(request: ChatRequest) -> Impossible | None:
    """Return what is wrong with the JSON Schema that a request gives for its answer."""
    schema = contract_of(request).schema
    problem = None if schema is None else schema_problem(schema)
    return None if problem is None else Impossible("response_format.json_schema.schema", problem)


def impossible(request: ChatRequest, mixture: Mixture, models: Mapping[str, Model]) -> Impossible | None:
    """Return why a mixture cannot meet a request, None where it can."""
    contract = contract_of(request)
    if request.params.get("logprobs") and len(mixture.panel) > 1:
        members = ", ".join(mixture.panel)
        return Impossible("logprobs", f"is not for a mixture's answer, which has several authors; ask for {members}")
    if contract.form is Form.TOOLS and not tool_authors(mixture, models):
        message = f"no critic of {mixture.name} can call tools; give it one whose capabilities include tools"
        return Impossible("tools", message)
    if needs_vision(request.messages) and not any("vision" in models[name].capabilities for name in mixture.panel):
        return Impossible("messages", f"no model on the panel of {mixture.name} can see images or other parts")
    return schema_fault(request)


def tool_authors(mixture: Mixture, models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the mixture's critics that can call tools, in order."""
    authors = (mixture.critic.model, *mixture.critic.fallbacks)
    return tuple(name for name in authors if "tools" in models[name].capabilities)


def authors_of(mixture: Mixture, models: Mapping[str, Model], contract: Contract) -> tuple[str, ...]:
    """Return who may write the answer under this contract, in order."""
    if contract.form is Form.TOOLS:
        return tool_authors(mixture, models)
    return (mixture.critic.model, *mixture.critic.fallbacks)
