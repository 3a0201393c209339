"""Finding requests that a mixture or a model cannot answer, before any model is asked. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.settings import Mixture, Model
from synth.contract.contract import Contract, Form
from synth.contract.json_schema import find_schema_defect
from synth.prompts.adapt import needs_vision
from synth.request import ChatRequest
from synth.tool_turns import find_fan_out


@dataclass(frozen=True, slots=True)
class RequestProblem:
    """Why a request cannot be answered, and the path of the field that is at fault.

    `of_models`: the models lack an ability, so the message names them and holds no text of the request.
    """

    param: str
    message: str
    of_models: bool = False


def find_schema_problem(contract: Contract) -> RequestProblem | None:
    """Return the problem of a request's JSON Schema for its answer, or None if it is valid or absent."""
    schema = contract.schema
    problem = None if schema is None else find_schema_defect(schema)
    return None if problem is None else RequestProblem("response_format.json_schema.schema", problem)


def find_model_problem(request: ChatRequest, contract: Contract, model: Model) -> RequestProblem | None:
    """Return why a single model, asked by its own name, cannot answer a request, or None if it can."""
    if contract.tools and "tools" not in model.capabilities:
        return RequestProblem("tools", f"{model.name} cannot call tools", of_models=True)
    if needs_vision(request.messages) and "vision" not in model.capabilities:
        return RequestProblem("messages", f"{model.name} cannot see images or other parts", of_models=True)
    return find_schema_problem(contract)


def find_mixture_problem(
    request: ChatRequest, contract: Contract, mixture: Mixture, models: Mapping[str, Model]
) -> RequestProblem | None:
    """Return why a mixture cannot answer a request, or None if it can."""
    if request.params.get("logprobs") and len(mixture.panel) > 1 and not request.steering.refuses_panel:
        members = ", ".join(mixture.panel_models)
        return RequestProblem(
            "logprobs", f"is not for a mixture's answer, which has several authors; ask for {members}"
        )
    if contract.form is Form.TOOLS and not list_tool_authors(mixture, models):
        role = "critic" if mixture.critic else "model on the panel"
        message = (
            f"no {role} of {mixture.name} can call tools, which agents need: add a model that can to config.yaml "
            "(`mom-gateway init` proposes some)"
        )
        return RequestProblem("tools", message, of_models=True)
    reads_prose = contract.form is Form.TOOLS and mixture.tools_advice == "prose"
    if (
        not reads_prose
        and needs_vision(request.messages)
        and not any("vision" in models[name].capabilities for name in mixture.panel_models)
        and find_fan_out(request, mixture)[0]
    ):
        message = f"no model on the panel of {mixture.name} can see images or other parts"
        return RequestProblem("messages", message, of_models=True)
    return find_schema_problem(contract)


def list_tool_authors(mixture: Mixture, models: Mapping[str, Model]) -> tuple[str, ...]:
    """Return the mixture's authors that can call tools, in order."""
    return tuple(name for name in mixture.authors if "tools" in models[name].capabilities)


def list_authors(mixture: Mixture, models: Mapping[str, Model], contract: Contract) -> tuple[str, ...]:
    """Return the models that may write an answer under this contract, in order."""
    if contract.form is Form.TOOLS:
        return list_tool_authors(mixture, models)
    return mixture.authors
