"""The facts kept of an answer, without any of its text, and the counts of a verdict on it. Pure."""

from collections.abc import Mapping

import msgspec

from synth.feedback.verdict import Verdict

PANEL = ""
"""The member under whose name the answers of a whole mixture are counted."""


class AnswerRecord(msgspec.Struct, frozen=True, array_like=True):
    """The members that made an answer, and those that would have made the same. Names are those of `identify_member`.

    `id` is unique to the answer, other than its marks: models repeat themselves. `mixture` and `kind` say what was
    asked. `authors` wrote the answer, `is_by_critic` if from others' candidates. `agreed` are the other members whose
    candidate has the same outcome, `differed` those with another one. `known` says of members whether their candidate
    was right, as far as running it or the contract has shown. `front` is the member whose candidate is the answer only
    because it is ranked first, "" if anything else decided. `verdict` is the latest one on the answer.
    """

    id: str
    mixture: str
    kind: str
    authors: tuple[str, ...]
    is_by_critic: bool = False
    agreed: tuple[str, ...] = ()
    differed: tuple[str, ...] = ()
    known: Mapping[str, bool] = {}
    front: str = ""
    verdict: int = Verdict.NONE

    def encode(self) -> bytes:
        """Return the record as bytes."""
        return _ENCODER.encode(self)

    def with_verdict(self, verdict: Verdict) -> "AnswerRecord":
        """Return the record with a later verdict."""
        return msgspec.structs.replace(self, verdict=verdict)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnswerRecord)


def decode_record(data: bytes) -> AnswerRecord | None:
    """Return the record in these bytes, or None if another version of the gateway has written them."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError:
        return None


def identify_member(name: str, upstream_id: str) -> str:
    """Return the name under which a model is counted: another model under the same name in config.yaml starts anew."""
    return f"{name}={upstream_id}"


def count_verdict(record: AnswerRecord, verdict: Verdict) -> dict[tuple[str, str], int]:
    """Return the counts of a verdict on an answer, by member and name of the count.

    Counts of the panel: `right`, `wrong`; of the wrong answers `all_wrong` if no member may have been right, and
    `some_right` if one is known to have been; `picked` if a critic did not write the answer itself. Counts of a member:
    `right` and `wrong`, as far as is known, else `open_right` and `open_wrong` by the answer; `saved` and `lost` if the
    answer was right and the member was not, or the other way round; `only_right` if no other member had the right
    answer that was picked; `front_right` and `front_wrong` for an answer chosen by its rank alone.
    """
    is_right = verdict.is_right
    if is_right is None:
        return {}
    ending = "right" if is_right else "wrong"
    states = _list_states(record, is_right=is_right)
    counts = {(PANEL, ending): 1}
    if not is_right and any(state is True for state in states.values()):
        counts[PANEL, "some_right"] = 1
    elif not is_right and states and all(state is False for state in states.values()):
        counts[PANEL, "all_wrong"] = 1
    for member, state in states.items():
        counts[member, f"open_{ending}" if state is None else "right" if state else "wrong"] = 1
        if state is not None and state != is_right:
            counts[member, "saved" if is_right else "lost"] = 1
    if not record.is_by_critic:
        counts[PANEL, "picked"] = 1
        if is_right and len(record.authors) == 1 and not record.agreed:
            counts[record.authors[0], "only_right"] = 1
    if record.front:
        counts[record.front, f"front_{ending}"] = 1
    return counts


def count_revision(record: AnswerRecord, verdict: Verdict) -> dict[tuple[str, str], int]:
    """Return the change of the counts if this verdict replaces the record's."""
    counts = dict.fromkeys(count_verdict(record, Verdict(record.verdict)), -1)
    for key, amount in count_verdict(record, verdict).items():
        counts[key] = counts.get(key, 0) + amount
    return {key: amount for key, amount in counts.items() if amount}


def replaces(verdict: Verdict, record: AnswerRecord) -> bool:
    """Whether a verdict on a remembered answer is news: final ones stay, and others only give way to final ones."""
    known = Verdict(record.verdict)
    return not known.is_final and verdict != known and (known is Verdict.NONE or verdict.is_final)


def _list_states(record: AnswerRecord, *, is_right: bool) -> dict[str, bool | None]:
    """Return for each member whether its candidate was right, or None if that is unknown.

    Authors and those who agreed share the answer's fate. A critic is no member, and so has no state.
    """
    states: dict[str, bool | None] = dict.fromkeys(record.differed)
    states |= record.known
    shared = (*(() if record.is_by_critic else record.authors), *record.agreed)
    return states | dict.fromkeys(shared, is_right)
