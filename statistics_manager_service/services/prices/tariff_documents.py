"""Documents that people write, in YAML or JSON, as plain JSON values: nothing that was written is lost or guessed.

YAML is read by the rules of YAML 1.2's core: `NO` is a country and `10:30` a time, only `true` and `false` are truths;
dates stay as they were written, keys are texts as they were written. A member that stands twice is refused, and so is
what would unfold to more than a document can be.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any, Final

from statistics_manager_service.errors import BadInput, Fault

#: Of a document, what its aliases unfold to included.
MOST_PARTS: Final = 50_000
_DEEPEST: Final = 60
_INT: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
#: What the loader calls a text without a tag.
_UNTAGGED: Final = "untagged"
_TAGS: Final = {_UNTAGGED, *(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))}
_PLAIN: Final = {"null": None, "~": None, "": None, "true": True, "false": False}
_LARGEST_INT: Final = 2**63 - 1
_LONGEST_NUMBER: Final = 100


def document_of_yaml(text: str) -> Any:
    """A YAML document as plain JSON values. Raises BadInput."""
    yaml, loader = _yaml()
    try:
        _refuse_deep(yaml, text)
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "body" if mark is None else f"line {mark.line + 1}"
        what = getattr(error, "problem", None) or "a character that can't stand in it"
        raise BadInput.of([Fault(where, f"this is not YAML: {str(what)[:200]}")]) from error
    reader = _Reader(yaml)
    value = None if node is None else reader.value(node)
    if reader.faults:
        raise BadInput.of(reader.faults)
    return value


@cache
def _yaml() -> tuple[Any, Any]:
    """The library, and a loader that leaves texts as they are; here, as few processes need it."""
    import yaml

    # made without a body: the types of the library forbid what it is made for
    named = {"yaml_implicit_resolvers": {}, "DEFAULT_SCALAR_TAG": _UNTAGGED}
    return yaml, type("Loader", (yaml.SafeLoader,), named)


def _refuse_deep(yaml: Any, text: str) -> None:
    """Raises BadInput for a document that is nested too deeply, before anything goes down into it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise BadInput.of([Fault(_line(event), f"this is nested more than {_DEEPEST} deep")])


class _Reader:
    """Makes values of nodes, and gathers what is wrong with them."""

    def __init__(self, yaml: Any) -> None:
        self._yaml, self._parts, self._depth = yaml, 0, 0
        self.faults: list[Fault] = []

    def value(self, node: Any) -> Any:
        """The value of a node."""
        self._parts += 1
        if self._parts > MOST_PARTS or self._depth > _DEEPEST:
            raise BadInput.of([Fault(_line(node), f"from here on it unfolds to more than {MOST_PARTS} parts")])
        if node.tag not in _TAGS:
            self._fault(node, f"the tag {node.tag[:60]} is not read here")
            return None
        if isinstance(node, self._yaml.ScalarNode):
            return self._scalar(node)
        self._depth += 1
        is_list = isinstance(node, self._yaml.SequenceNode)
        out = [self.value(one) for one in node.value] if is_list else self._mapping(node)
        self._depth -= 1
        return out

    def _mapping(self, node: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            if not isinstance(key, self._yaml.ScalarNode) or (key.value == "<<" and key.style is None):
                self._fault(key, "the name of a member must be a plain text; `<<` is not read here, write it out")
                continue
            name = self._text(key)
            if name in found:
                self._fault(key, f"the member {name[:60]!r} stands twice in one object")
            found[name] = self.value(inner)
        return found

    def _scalar(self, node: Any) -> Any:
        text = self._text(node)
        if node.style is not None or node.tag != _UNTAGGED:  # quoted, a block, or told to be a text
            return text
        if text in _PLAIN:
            return _PLAIN[text]
        if len(text) <= _LONGEST_NUMBER and _INT.fullmatch(text):
            return plain_number(int(text))
        if len(text) <= _LONGEST_NUMBER and _FLOAT.fullmatch(text):
            return plain_number(Decimal(text))
        return text

    def _text(self, node: Any) -> str:
        text = str(node.value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self._fault(node, "half of a surrogate pair is no character")
        return text

    def _fault(self, node: Any, why: str) -> None:
        self.faults.append(Fault(_line(node), why))


def _line(node: Any) -> str:
    return f"line {node.start_mark.line + 1}"


def plain_number(number: int | Decimal) -> int | float | str:
    """A number as JSON holds it: where a float, or an integer of 64 bits, would be another number, as text."""
    if isinstance(number, Decimal) and not (number.is_finite() and number == number.to_integral_value()):
        as_float = float(number)
        return as_float if Decimal(repr(as_float)) == number else str(number)
    return int(number) if -_LARGEST_INT <= number <= _LARGEST_INT else str(number)


def plain_document(value: Any, depth: int = 0) -> Any:
    """JSON values with exact numbers (Decimal) as JSON holds them. Raises BadInput where it is nested too deeply."""
    if depth > _DEEPEST:
        raise BadInput.of([Fault("body", f"this is nested more than {_DEEPEST} deep")])
    if isinstance(value, dict):
        return {name: plain_document(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain_document(inner, depth + 1) for inner in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return plain_number(value)
