"""What an operation is called in generated clients, and under which heading it stands."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic.alias_generators import to_camel

_PREFIX: Final = re.compile(r"^/(?:api/)?(?:orgs/\{orgId\}/(?=.)|users/(?=me)(?:me/(?=.))?)?")
_FULL: Final = {"orgs": "organizations", "invites": "invitations"}
_SAME: Final = frozenset({"logs", "stats", "status", "git-status"})
_VERBS: Final = {"PATCH": "update", "PUT": "replace", "DELETE": "delete", "POST": "create"}

TAGS: Final[Mapping[str, str]] = {
    "Organizations": "Organizations own everything below them; nothing of one is visible to another.",
    "Members": "Who belongs to an organization, and in which role.",
    "Invitations": "Links that make people members.",
    "API keys": "Credentials for programs: one organization, a set of scopes, an expiry. Sessions alone manage them.",
    "Nodes": "Servers that people bring, and on which workers run.",
    "Projects": "Versioned templates of development environments.",
    "Workers": "Containers spawned from a project, from spawn to destroy, and what happens inside of them.",
    "Users": "What is a person's own: profile, secrets, SSH keys.",
    "Activity": "What happened: the audit log, the stream of events, and webhooks.",
    "Sign-in": "How a person gets a session, and ends it.",
    "Server": "Health, the reference, and how a server becomes a node.",
}
_TAG_OF: Final = {
    "orgs": "Organizations",
    "members": "Members",
    "invites": "Invitations",
    "invitations": "Invitations",
    "api-keys": "API keys",
    "nodes": "Nodes",
    "projects": "Projects",
    "workers": "Workers",
    "users": "Users",
    "audit": "Activity",
    "events": "Activity",
    "webhooks": "Activity",
    "auth": "Sign-in",
}


def tag_of(path: str) -> str:
    """By the last collection in the path."""
    found = [_TAG_OF[word] for word in path.split("/") if word in _TAG_OF]
    return found[-1] if found else "Server"


def operation_id_of(method: str, path: str, *, lists: bool) -> str:
    """`listWorkers`, `getWorkerStats`, `stopWorker`: by the path's last words. Collections are plural nouns."""
    words = _PREFIX.sub("", path).split("/")
    nouns = [_singular(word) for word in words if not word.startswith("{")]
    if words[-1].startswith("{"):
        return camel("get" if method == "GET" else _VERBS[method], *_thing(words))
    if lists:
        return camel("list", *_owner(words), _FULL.get(words[-1], words[-1]))
    if method == "POST" and len(words) > 1 and words[-2].startswith("{") and not words[-1].endswith("s"):
        return camel(words[-1], *_owner(words))
    if method == "GET":
        return camel("get", *_owner(words), words[-1] if len(nouns) > 1 else nouns[-1])
    return camel(_VERBS[method], *_owner(words), nouns[-1])


def _owner(words: list[str]) -> list[str]:
    """The thing that a sub-collection or a figure belongs to, where it isn't a collection of its own."""
    if len(words) < 2 or words[-1] in _TAG_OF:
        return []
    return _thing(words[:-1]) if words[-2].startswith("{") else [_singular(words[-2])]


def _thing(words: list[str]) -> list[str]:
    """What a path that ends with a parameter stands for: the collection's singular, with its owner."""
    return [*_owner(words[:-1]), _singular(words[-2])]


def _singular(word: str) -> str:
    return word if word in _SAME else _FULL.get(word, word).removesuffix("s")


def camel(*words: str) -> str:
    text = "_".join(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word) for word in words)
    return to_camel(re.sub(r"[^A-Za-z0-9]+", "_", text).lower())
