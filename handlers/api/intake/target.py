"""Find the mixture or model that answers a request, as the request steers it, and check that it can."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from config.settings import ApiKey, Mixture
from handlers.api.intake.naming import check_model, resolve_name
from handlers.api.intake.steering import read_mode
from handlers.context import Snapshot
from handlers.errors import ApiError
from handlers.gate.spending import check_quote
from handlers.request_record import RequestRecord
from runtime.frozen import frozen
from runtime.time_slice import TimeSlice
from synth import cost_estimate
from synth.contract.contract import Contract, derive_contract
from synth.contract.tool_schemas import find_tool_problem
from synth.preflight import RequestProblem, find_mixture_problem, find_model_problem
from synth.request import UNSTEERED, ChatRequest, Steering
from synth.steering import NO_CRITIC, UnsteerableError, check_steering_of_model, steer_mixture
from upstream.openai.conversation import Conversation


@frozen
class Target:
    """A request and the model or mixture that answers it. `mixture` has the request's steering; None for a model.

    `deadline_s` is how long the answer may take; for a model it is that of the first mixture.
    """

    chat: ChatRequest
    contract: Contract
    name: str
    mixture: Mixture | None
    deadline_s: float


def find_target(chat: ChatRequest, snapshot: Snapshot, key: ApiKey | None, headers: Mapping[str, str]) -> Target:
    """Return the mixture or model to ask. Raises ApiError: 404 for an unknown name, 400 if it cannot serve the request.

    The field `mom` of the request takes precedence over the header `x-mom-mode`.
    """
    if chat.stream and snapshot.settings.server.streaming == "reject":
        raise ApiError(
            400,
            "stream: streaming is off here (server.streaming: reject); leave `stream` out or send false",
            param="stream",
            code="unsupported_value",
        )
    name = resolve_name(chat.model, snapshot, key)
    mixture = snapshot.mixtures.get(name)
    if chat.steering is not UNSTEERED:
        _check_names(chat.steering, snapshot, key)
        mixture = _steer(name, mixture, chat.steering, snapshot)
    mode = headers.get("x-mom-mode")
    if mode is not None and mixture is not None and chat.steering.mode is None and not chat.steering.refuses_panel:
        mixture = replace(mixture, mode=read_mode("x-mom-mode", mode))
    contract = derive_contract(chat, of_edits=mixture is not None, workers=snapshot.workers)
    problem = (
        find_model_problem(chat, contract, snapshot.models[name])
        if mixture is None
        else find_mixture_problem(chat, contract, mixture, snapshot.models)
    )
    if problem is not None:
        raise _unsupported(problem)
    return Target(chat, contract, name, mixture, (mixture or snapshot.settings.mixtures[0]).deadline_s)


async def check_tools(target: Target, time_slice: TimeSlice) -> None:
    """Refuse the tools of a request to a mixture if one has an unusable schema. Raises ApiError (400) with its path.

    A mixture's answers are checked against the schemas, and its members read them in different ways. A single model's
    upstream may accept an odd schema, so a request to a model is passed on.
    """
    if target.mixture is None:
        return
    conversation = target.chat.messages
    is_large = isinstance(conversation, Conversation) and conversation.is_large
    problem = await find_tool_problem(target.chat.params, time_slice, is_large=is_large)
    if problem is not None:
        raise _unsupported(problem)


def _check_names(steering: Steering, snapshot: Snapshot, key: ApiKey | None) -> None:
    for position, name in enumerate(steering.panel or ()):
        check_model(name, f"mom.panel[{position}]", snapshot, key)
    if steering.critic and (steering.critic != NO_CRITIC or NO_CRITIC in snapshot.models):
        check_model(steering.critic, "mom.critic", snapshot, key)


def _steer(name: str, mixture: Mixture | None, steering: Steering, snapshot: Snapshot) -> Mixture | None:
    def find_cap(model: str) -> Decimal | None:
        cap = snapshot.cost_caps.get(model)
        return None if cap is None else cap.max_cost

    try:
        if mixture is not None:
            return steer_mixture(mixture, steering, snapshot.models, find_cap)
        check_steering_of_model(snapshot.models[name], steering)
    except UnsteerableError as error:
        raise _unsupported(error.problem) from None
    return None


def _unsupported(problem: RequestProblem) -> ApiError:
    message = f"{problem.param}: {problem.message}"
    logged = problem.message if problem.of_models else None
    return ApiError(400, message, param=problem.param, code="unsupported_value", logged=logged)


def record_target(record: RequestRecord, target: Target, snapshot: Snapshot, *, is_limited: bool) -> None:
    """Record the facts known before the run. Raises ApiError (429) if the estimate exceeds `max_cost`.

    The estimate is made only for a request with a limit.
    """
    chat, mixture, stated = target.chat, target.mixture, target.chat.steering.max_cost
    record.stream, record.currency = chat.stream, snapshot.settings.server.currency
    if mixture is None:
        record.mode = "direct"
        cap = snapshot.cost_caps.get(target.name)
        limit, whose = (None, "") if cap is None else (cap.max_cost, cap.name)
    else:
        record.mixture, record.mode = mixture.name, mixture.mode
        limit, whose = mixture.max_cost, mixture.name
    if stated is not None and (limit is None or stated <= limit):
        limit, whose = stated, "this request"
    if not is_limited and limit is None:
        return
    if mixture is None:
        record.expected = cost_estimate.estimate_model(chat, snapshot.models[target.name])
    else:
        record.expected = cost_estimate.estimate_mixture(chat, mixture, snapshot.models)
    check_quote(record.expected, limit, whose, record.currency)
