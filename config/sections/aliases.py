"""Reads `aliases`: other names for mixtures and models, with `*` as a wildcard."""

from config.reader import InvalidValue, Place, Section, describe, suggest
from config.settings import DEFAULT_MIXTURE, Alias
from config.source.document import Entries, Scalar
from config.values import alias_name, is_from_environment


def aliases(place: Place) -> dict[str, Place]:
    """Read the mapping of names to the places of their targets; `resolve_targets` checks these afterwards.

    Targets may be mixtures, which the schema reads later because they refer to models.
    """
    if not isinstance(place.node, Entries):
        raise InvalidValue(f"must be a mapping of names to mixtures or models, {describe(place)}")
    found: dict[str, Place] = {}
    for name, node in place.node.nodes.items():
        entry = place.child(name, node)
        if not isinstance(node, Scalar):
            entry.report("must be the name of a mixture or a model")
            continue
        try:
            found[alias_name(name, entry)] = entry
        except InvalidValue as error:
            entry.report(str(error))
    return found


def resolve_targets(root: Section) -> tuple[Alias, ...]:
    """Return the aliases in file order; a target that is not a mixture or a model is reported.

    Nothing is reported if the mixtures or models are invalid as a whole: their names are unknown then.
    """
    is_known = all(key in root.values or not root.has(key) for key in ("models", "mixtures"))
    places: dict[str, Place] = root.values.get("aliases", {}) if is_known else {}
    names = root.place.names
    targets = {**names.mixtures, **names.models}
    if not root.has("mixtures"):
        targets.setdefault(DEFAULT_MIXTURE, root.place)
    found: list[Alias] = []
    for name, place in places.items():
        target = place.node.text if isinstance(place.node, Scalar) else ""
        if target in targets:
            found.append(Alias(name, target))
            continue
        known = [word for word, given in targets.items() if not is_from_environment(given)]
        hint = "" if is_from_environment(place) else suggest(target, known)
        place.report(f"{describe(place)}, which is neither a mixture nor a model{hint}")
    return tuple(found)
