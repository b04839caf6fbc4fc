"""Examples of bodies and answers: the operation's own, or made from the schema with values that read well."""

import re
from collections.abc import Mapping
from typing import Any, Final

from spunto.entrypoints.http.openapi.schemas import Schemas

_RANDOM: Final = "01k5z7q8w9x0y1z2a3b4c5d6e7"
_AT: Final = "2026-03-14T15:09:26Z"
_VALUES: Final[Mapping[str, Any]] = {
    "id": f"wkr_{_RANDOM}",
    "orgId": f"org_{_RANDOM}",
    "userId": f"usr_{_RANDOM}",
    "apiKeyId": f"key_{_RANDOM}",
    "keyId": f"key_{_RANDOM}",
    "projectId": f"prj_{_RANDOM}",
    "nodeId": f"nod_{_RANDOM}",
    "workerId": f"wkr_{_RANDOM}",
    "secretId": f"sec_{_RANDOM}",
    "orgSecretId": f"sec_{_RANDOM}",
    "webhookId": f"whk_{_RANDOM}",
    "deliveryId": f"whd_{_RANDOM}",
    "eventId": f"evt_{_RANDOM}",
    "name": "hello",
    "slug": "acme",
    "email": "ada@example.org",
    "description": "A small Debian with git and Python.",
    "image": "debian:12",
    "branch": "main",
    "command": ["git", "status"],
    "cwd": "/workspace",
    "containerId": "4f5e6d7c8b9a",
    "nextCursor": None,
    "cpus": 2.0,
    "memoryBytes": 2147483648,
    "error": None,
    "engineError": None,
    "quarantine": None,
    "timeoutSeconds": 60.0,
    "postCreateCommand": "make setup",
    "postStartCommand": None,
    "secrets": ["NPM_TOKEN"],
    "grantSecrets": ["NPM_TOKEN"],
    "createdBy": f"usr_{_RANDOM}",
    "stdin": "",
    "user": "vscode",
    "port": 8080,
    "address": "0.0.0.0",
    "url": None,
    "exitCode": 0,
    "stdout": "ok\n",
    "stderr": "",
    "path": "/workspace/hello",
    "dotfilesRepo": "https://git.example.org/ada/dotfiles",
    "publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2bZQ0o8Vb1Rr3sX9vK1mEw5tYq7uPz4cLhNfGdTaBk ada@example.org",
    "value": "correct horse battery staple",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwXy0Rb0cTn8M=",
    "head": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
}
_ELSE: Final[Mapping[str, Any]] = {"name": "NPM_TOKEN", "url": "https://hooks.example.org/spunto"}
"""Where the first is not of the right shape."""

_OF_COMPONENT: Final[Mapping[str, str]] = {
    "Organization": "org",
    "Node": "nod",
    "Project": "prj",
    "Worker": "wkr",
    "User": "usr",
    "Invitation": "inv",
    "Secret": "sec",
    "SshKey": "ssk",
    "ApiKey": "key",
    "Webhook": "whk",
    "WebhookWithSecret": "whk",
    "Delivery": "whd",
}


def example_of(schemas: Schemas, schema: Mapping[str, Any], *, name: str = "", owner: str = "") -> Any:
    """A value that the schema takes, the same one each time."""
    ref = schema.get("$ref")
    if ref is not None:
        owner = ref.rpartition("/")[2]
        return example_of(schemas, schemas.resolved(schema), owner=owner)
    for given in ("example", "const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    known = _known(schemas, schema, name, owner)
    return _made(schemas, schema, name, owner) if known is _UNKNOWN else known


_UNKNOWN: Final = object()


def _known(schemas: Schemas, schema: Mapping[str, Any], name: str, owner: str) -> Any:
    if name == "id" and owner in _OF_COMPONENT:
        return f"{_OF_COMPONENT[owner]}_{_RANDOM}"
    known = [values[name] for values in (_VALUES, _ELSE) if name in values]
    return next((value for value in known if _accepts(schemas, schema, value)), _UNKNOWN)


def _made(schemas: Schemas, schema: Mapping[str, Any], name: str, owner: str) -> Any:
    if "anyOf" in schema:
        return example_of(schemas, schema["anyOf"][0], name=name, owner=owner)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {inner: example_of(schemas, of, name=inner, owner=owner) for inner, of in properties.items()}
        case "array":
            return [example_of(schemas, schema.get("items", {}), owner=owner)]
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return 0.5
        case "boolean":
            return False
        case "string":
            return _AT if schema.get("format") == "date-time" else "text"
    return None


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _accepts(schemas: Schemas, schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a known value is of the right kind here; the tests validate the whole example."""
    schema = schemas.resolved(schema)
    if "anyOf" in schema:
        return any(_accepts(schemas, each, value) for each in schema["anyOf"])
    fits = isinstance(value, _TYPES.get(schema.get("type", ""), (object,)))
    return fits and (not isinstance(value, str) or re.search(schema.get("pattern", ""), value) is not None)
