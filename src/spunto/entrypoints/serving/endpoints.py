"""The one table of endpoints: which action each stands for; `access.policy` says who may do it.

The doors are checked against it when they open, and the OpenAPI document and the authorization tests are made from it.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from spunto.core.access.policy import Action
from spunto.entrypoints.serving.limits import Limit

PUBLIC: Final = "public"
"""Open to everybody, with a credential or without."""

OWN_CREDENTIAL: Final = "own_credential"
"""Carries a credential that only its own use case knows: a node's token, a one-time code."""

Access: TypeAlias = Action | Literal["public", "own_credential"]

_ME: Final = "/api/users/me"
_ORG: Final = "/api/orgs/{orgId}"
_PROJECT: Final = f"{_ORG}/projects/{{projectId}}"
_WORKER: Final = f"{_PROJECT}/workers/{{workerId}}"
_BY_ID: Final = f"{_ORG}/workers/{{workerId}}"
_WEBHOOK: Final = f"{_ORG}/webhooks/{{webhookId}}"
_NODE: Final = f"{_ORG}/nodes/{{nodeId}}"

_TABLE: Final[Mapping[str, Access]] = {
    "GET /": PUBLIC,
    "GET /device": PUBLIC,
    "POST /device": Action.DEVICE_APPROVE,
    "GET /healthz": PUBLIC,
    "GET /.well-known/oauth-authorization-server": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": OWN_CREDENTIAL,
    "GET /api/agent/install.sh": PUBLIC,
    "GET /api/agent/wheels/{name}": PUBLIC,
    "GET /api/openapi.json": PUBLIC,
    "GET /api/docs": PUBLIC,
    "GET /api/docs/{name}": PUBLIC,
    "GET /api/auth/bootstrap": OWN_CREDENTIAL,
    "GET /api/auth/callback": OWN_CREDENTIAL,
    "POST /api/auth/device": PUBLIC,
    "POST /api/auth/device/token": OWN_CREDENTIAL,
    "GET /api/auth/login": PUBLIC,
    "POST /api/auth/logout": Action.SESSION_END,
    "GET /api/auth/session": Action.SESSION_READ,
    # Who is not signed in is sent to the sign-in.
    "GET /api/auth/worker": PUBLIC,
    f"GET {_ME}": Action.USER_READ,
    f"PATCH {_ME}": Action.USER_UPDATE,
    f"GET {_ME}/secrets": Action.SECRET_READ,
    f"POST {_ME}/secrets": Action.SECRET_PUT,
    f"PATCH {_ME}/secrets/{{secretId}}": Action.SECRET_PUT,
    f"DELETE {_ME}/secrets/{{secretId}}": Action.SECRET_DELETE,
    f"GET {_ME}/ssh-keys": Action.SSH_KEY_READ,
    f"POST {_ME}/ssh-keys": Action.SSH_KEY_ADD,
    f"DELETE {_ME}/ssh-keys/{{sshKeyId}}": Action.SSH_KEY_REMOVE,
    "GET /api/orgs": Action.ORG_LIST,
    "POST /api/orgs": Action.ORG_CREATE,
    f"GET {_ORG}": Action.ORG_READ,
    f"PATCH {_ORG}": Action.ORG_UPDATE,
    f"DELETE {_ORG}": Action.ORG_DELETE,
    f"GET {_ORG}/members": Action.MEMBER_READ,
    f"PATCH {_ORG}/members/{{userId}}": Action.MEMBER_UPDATE,
    f"DELETE {_ORG}/members/{{userId}}": Action.MEMBER_REMOVE,
    f"GET {_ORG}/api-keys": Action.API_KEY_READ,
    f"POST {_ORG}/api-keys": Action.API_KEY_CREATE,
    f"DELETE {_ORG}/api-keys/{{keyId}}": Action.API_KEY_REVOKE,
    f"GET {_ORG}/invites": Action.INVITATION_READ,
    f"POST {_ORG}/invites": Action.INVITATION_CREATE,
    f"DELETE {_ORG}/invites/{{invitationId}}": Action.INVITATION_REVOKE,
    "POST /api/invites/accept": Action.INVITATION_ACCEPT,
    # Whoever has the link sees what it is for.
    "GET /invites/{token}": PUBLIC,
    "POST /invites/{token}": Action.INVITATION_ACCEPT,
    f"GET {_ORG}/audit": Action.AUDIT_READ,
    f"GET {_ORG}/events": Action.EVENT_READ,
    f"GET {_ORG}/secrets": Action.ORG_SECRET_READ,
    f"POST {_ORG}/secrets": Action.ORG_SECRET_PUT,
    f"PATCH {_ORG}/secrets/{{orgSecretId}}": Action.ORG_SECRET_PUT,
    f"DELETE {_ORG}/secrets/{{orgSecretId}}": Action.ORG_SECRET_DELETE,
    f"GET {_ORG}/webhooks": Action.WEBHOOK_READ,
    f"POST {_ORG}/webhooks": Action.WEBHOOK_CREATE,
    f"GET {_WEBHOOK}": Action.WEBHOOK_READ,
    f"PATCH {_WEBHOOK}": Action.WEBHOOK_UPDATE,
    f"DELETE {_WEBHOOK}": Action.WEBHOOK_DELETE,
    f"POST {_WEBHOOK}/rotate-secret": Action.WEBHOOK_UPDATE,
    f"POST {_WEBHOOK}/test": Action.WEBHOOK_UPDATE,
    f"GET {_WEBHOOK}/deliveries": Action.WEBHOOK_READ,
    f"GET {_WEBHOOK}/deliveries/{{deliveryId}}": Action.WEBHOOK_READ,
    f"POST {_WEBHOOK}/deliveries/{{deliveryId}}/redeliver": Action.WEBHOOK_UPDATE,
    f"GET {_ORG}/nodes": Action.NODE_READ,
    f"POST {_ORG}/nodes": Action.NODE_CREATE,
    f"GET {_NODE}": Action.NODE_READ,
    f"PATCH {_NODE}": Action.NODE_UPDATE,
    f"DELETE {_NODE}": Action.NODE_DELETE,
    f"POST {_NODE}/token": Action.NODE_ROTATE_TOKEN,
    f"POST {_NODE}/drain": Action.NODE_DRAIN,
    f"POST {_NODE}/undrain": Action.NODE_UNDRAIN,
    f"GET {_NODE}/inventory": Action.NODE_READ,
    f"GET {_ORG}/projects": Action.PROJECT_READ,
    f"POST {_ORG}/projects": Action.PROJECT_CREATE,
    f"GET {_PROJECT}": Action.PROJECT_READ,
    f"PATCH {_PROJECT}": Action.PROJECT_UPDATE,
    f"DELETE {_PROJECT}": Action.PROJECT_DELETE,
    f"GET {_PROJECT}/versions": Action.PROJECT_READ,
    f"POST {_PROJECT}/versions/{{number}}/restore": Action.PROJECT_UPDATE,
    f"GET {_ORG}/workers": Action.WORKER_READ,
    f"POST {_ORG}/workers/stop": Action.WORKER_STOP,
    f"POST {_ORG}/workers/destroy": Action.WORKER_DESTROY,
    f"GET {_PROJECT}/workers": Action.WORKER_READ,
    f"POST {_PROJECT}/workers": Action.WORKER_SPAWN,
    f"GET {_WORKER}": Action.WORKER_READ,
    f"PATCH {_WORKER}": Action.WORKER_UPDATE,
    f"POST {_WORKER}/keep-alive": Action.WORKER_KEEP_ALIVE,
    f"DELETE {_WORKER}": Action.WORKER_DESTROY,
    f"POST {_WORKER}/stop": Action.WORKER_STOP,
    f"POST {_WORKER}/start": Action.WORKER_START,
    f"POST {_WORKER}/rebuild": Action.WORKER_REBUILD,
    f"GET {_WORKER}/logs": Action.WORKER_READ_OUTPUT,
    f"GET {_WORKER}/stats": Action.WORKER_READ,
    f"GET {_WORKER}/git-status": Action.WORKER_ENTER,
    f"GET {_WORKER}/ports": Action.WORKER_ENTER,
    f"POST {_WORKER}/exec": Action.WORKER_ENTER,
    f"GET {_WORKER}/files": Action.WORKER_ENTER,
    f"PUT {_WORKER}/files": Action.WORKER_ENTER,
    f"DELETE {_WORKER}/files": Action.WORKER_ENTER,
    f"POST {_WORKER}/files/move": Action.WORKER_ENTER,
    f"GET {_WORKER}/terminals": Action.WORKER_ENTER,
    f"DELETE {_WORKER}/terminals/{{session}}": Action.WORKER_ENTER,
    f"PUT {_WORKER}/ports/{{port}}": Action.WORKER_SHARE,
    f"GET {_WORKER}/sharing": Action.WORKER_LINK_READ,
    f"GET {_WORKER}/ports/{{port}}/links": Action.WORKER_LINK_READ,
    f"POST {_WORKER}/ports/{{port}}/links": Action.WORKER_LINK_CREATE,
    f"DELETE {_WORKER}/ports/{{port}}/links/{{linkId}}": Action.WORKER_LINK_REVOKE,
}

HTTP: Final[Mapping[str, Access]] = {
    **_TABLE,
    # What names a worker below its project can be said with the worker's id alone.
    **{endpoint.replace(_WORKER, _BY_ID): access for endpoint, access in _TABLE.items()},
}

WEBSOCKETS: Final[Mapping[str, Access]] = {
    "/api/agent/connect": OWN_CREDENTIAL,
    "/api/edge/connect": OWN_CREDENTIAL,
    # `mode=logs` needs only WORKER_READ_OUTPUT.
    "/api/workers/{workerId}/terminal": Action.WORKER_ENTER,
}

LIMITS: Final[Mapping[str, Limit | None]] = {
    Action.WORKER_SPAWN: Limit.SPAWN,
    Action.INVITATION_CREATE: Limit.INVITE,
    # A person's guesses at codes of other people's terminals.
    Action.DEVICE_APPROVE: Limit.SIGN_IN,
    "POST /api/auth/device": Limit.SIGN_IN,
    # Terminals ask every few seconds, and each of them is told when it asks too often.
    "POST /api/auth/device/token": Limit.ADDRESS,
    "GET /api/auth/login": Limit.SIGN_IN,
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": Limit.ADDRESS,
    f"POST {_WORKER}/exec": Limit.ENTER,
    f"POST {_BY_ID}/exec": Limit.ENTER,
    "/api/agent/connect": Limit.CONNECT,
    "/api/edge/connect": Limit.CONNECT,
    "/api/workers/{workerId}/terminal": Limit.ENTER,
}
"""How often, for actions and endpoints that are not as their kind; None for as often as anybody likes."""


def limit_of(endpoint: str, access: Access) -> Limit | None:
    """What an endpoint is counted as, beside each request of a credential."""
    if endpoint in LIMITS:
        return LIMITS[endpoint]
    if isinstance(access, Action):
        return LIMITS.get(access)
    return Limit.ADDRESS if access == PUBLIC else Limit.SIGN_IN
