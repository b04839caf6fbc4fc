"""The schemas of bodies, queries and answers as named components, made from the very types that the routes use."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaMode

from spunto.core.kernel.ids import pattern_of
from spunto.entrypoints.http.admission import IDS

Schema = dict[str, Any]
REF: Final = "#/components/schemas/"
_ID_PATTERNS: Final = {to_camel(name): pattern_of(prefix) for name, (prefix, _) in IDS.items()}

PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Every error has this shape (RFC 9457). Programs look at `code`, people at `detail`.",
    "required": ["type", "code", "title", "status", "detail", "instance", "requestId"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:spunto:error:[a-z0-9_]+$"},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$", "description": "Stable; see docs/errors.md."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What happened, and what to do next."},
        "instance": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "What is wrong with which field, with `invalid_request` and `invalid_query`.",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer (RFC 6901) into what was sent."},
                    "message": {"type": "string"},
                },
            },
        },
        "requiredScopes": {
            "type": "array",
            "description": "With `missing_scope`: the scopes of which the key needs one.",
            "items": {"type": "string"},
        },
        "requiredRole": {"type": "string", "description": "With `role_required`: the least role that may do it."},
    },
}


class Schemas:
    """Components by name. An `…Out` type is called by what it shows."""

    def __init__(self, inputs: Iterable[type[BaseModel]], outputs: Iterable[type]) -> None:
        asked: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = [
            *((model, "validation", TypeAdapter(model)) for model in inputs),
            *((shape, "serialization", TypeAdapter(shape)) for shape in outputs),
        ]
        tops, whole = TypeAdapter.json_schemas(asked, ref_template=f"{REF}{{model}}")
        definitions = whole.get("$defs", {})
        self._names = {name: _shown_name(name, definitions) for name in definitions}
        self.components: dict[str, Schema] = {
            self._names[name]: self._polished(schema) for name, schema in sorted(definitions.items())
        }
        self._tops: dict[type, Schema] = {shape: self._polished(schema) for (shape, _), schema in tops.items()}
        self.components["Problem"] = PROBLEM

    def of(self, shape: type) -> Schema:
        """A reference to the component, or the schema itself where it has no name."""
        return self._tops[shape]

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a reference stands for."""
        ref = schema.get("$ref")
        return schema if ref is None else self.components[ref.removeprefix(REF)]

    def _polished(self, schema: Any, *, name: str | None = None) -> Any:
        """Without generated titles, and without null as a default: absent and null differ in a merge patch."""
        if isinstance(schema, list):
            return [self._polished(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        ref = schema.get("$ref")
        polished = {
            key: {inner: self._polished(value, name=inner) for inner, value in each.items()}
            if key == "properties"
            else self._polished(each, name=name if key == "anyOf" else None)
            for key, each in schema.items()
            if not (key == "title" and isinstance(each, str)) and not (key == "default" and each is None)
        }
        if ref is not None:
            polished["$ref"] = f"{REF}{self._names[ref.removeprefix(REF)]}"
        if name is None or polished.get("type") != "string" or "pattern" in polished:
            return polished
        return {**polished, "pattern": _ID_PATTERNS[name]} if name in _ID_PATTERNS else polished


def _shown_name(name: str, all_names: Mapping[str, Any]) -> str:
    short = re.sub(r"Out$", "", name)
    return name if short in all_names else short
