"""The one table of permissions: action -> least role, accepted scopes, session only."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do all that the other may."""
        return _RANK[self] >= _RANK[other]


_RANK = {Role.MEMBER: 0, Role.ADMIN: 1, Role.OWNER: 2}


class Scope(StrEnum):
    ALL = "*"
    ORG_READ = "org:read"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    WORKERS_READ = "workers:read"
    WORKERS_WRITE = "workers:write"
    WORKERS_EXEC = "workers:exec"
    NODES_READ = "nodes:read"
    NODES_WRITE = "nodes:write"
    DEPLOYMENTS_READ = "deployments:read"
    DEPLOYMENTS_WRITE = "deployments:write"
    DEPLOYMENTS_EXEC = "deployments:exec"

    def covers(self, needed: "Scope") -> bool:
        """`*` covers all; `x:write` and `x:exec` include `x:read`."""
        if self in (Scope.ALL, needed):
            return True
        resource, _, verb = needed.partition(":")
        return verb == "read" and self.partition(":")[0] == resource


class Action(StrEnum):
    """Everything that somebody may be allowed to do; also the word in the audit log."""

    SESSION_READ = "session.read"
    SESSION_BEGIN = "session.begin"
    SESSION_END = "session.end"
    DEVICE_APPROVE = "device.approve"
    USER_READ = "user.read"
    USER_UPDATE = "user.update"
    SECRET_READ = "secret.read"  # noqa: S105 - an action's name
    SECRET_PUT = "secret.put"  # noqa: S105 - an action's name
    SECRET_DELETE = "secret.delete"  # noqa: S105 - an action's name
    SSH_KEY_READ = "ssh_key.read"
    SSH_KEY_ADD = "ssh_key.add"
    SSH_KEY_REMOVE = "ssh_key.remove"
    ORG_SECRET_READ = "org_secret.read"  # noqa: S105 - an action's name
    ORG_SECRET_PUT = "org_secret.put"  # noqa: S105 - an action's name
    ORG_SECRET_DELETE = "org_secret.delete"  # noqa: S105 - an action's name
    ORG_CREATE = "org.create"
    ORG_READ = "org.read"
    ORG_LIST = "org.list"
    ORG_UPDATE = "org.update"
    ORG_DELETE = "org.delete"
    MEMBER_READ = "member.read"
    MEMBER_ENROL = "member.enrol"
    MEMBER_UPDATE = "member.update"
    MEMBER_REMOVE = "member.remove"
    INVITATION_READ = "invitation.read"
    INVITATION_CREATE = "invitation.create"
    INVITATION_REVOKE = "invitation.revoke"
    INVITATION_ACCEPT = "invitation.accept"
    API_KEY_READ = "api_key.read"
    API_KEY_CREATE = "api_key.create"
    API_KEY_REVOKE = "api_key.revoke"
    AUDIT_READ = "audit.read"
    EVENT_READ = "event.read"
    WEBHOOK_READ = "webhook.read"
    WEBHOOK_CREATE = "webhook.create"
    WEBHOOK_UPDATE = "webhook.update"
    WEBHOOK_DELETE = "webhook.delete"
    NODE_READ = "node.read"
    NODE_CREATE = "node.create"
    NODE_UPDATE = "node.update"
    NODE_DELETE = "node.delete"
    NODE_ROTATE_TOKEN = "node.rotate_token"  # noqa: S105 - an action's name
    NODE_DRAIN = "node.drain"
    NODE_UNDRAIN = "node.undrain"
    PROJECT_READ = "project.read"
    PROJECT_CREATE = "project.create"
    PROJECT_UPDATE = "project.update"
    PROJECT_DELETE = "project.delete"
    WORKER_READ = "worker.read"
    WORKER_SPAWN = "worker.spawn"
    WORKER_STOP = "worker.stop"
    WORKER_START = "worker.start"
    WORKER_DESTROY = "worker.destroy"
    WORKER_UPDATE = "worker.update"
    WORKER_REBUILD = "worker.rebuild"
    WORKER_KEEP_ALIVE = "worker.keep_alive"
    WORKER_READ_OUTPUT = "worker_output.read"
    WORKER_ENTER = "worker.enter"
    WORKER_SHARE = "worker.share"
    WORKER_LINK_READ = "worker_link.read"
    WORKER_LINK_CREATE = "worker_link.create"
    WORKER_LINK_REVOKE = "worker_link.revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The least role, and the scopes of which a key needs one."""

    role: Role
    scopes: frozenset[Scope]
    session_only: bool


def _rule(role: Role, *scopes: Scope, session_only: bool = False) -> Rule:
    return Rule(role=role, scopes=frozenset(scopes), session_only=session_only)


POLICY = {
    # What is a person's own asks for no organization; MEMBER is the least there is.
    Action.SESSION_READ: _rule(Role.MEMBER, *Scope),
    # Whoever signs in has no credential yet; only the audit log says this.
    Action.SESSION_BEGIN: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.SESSION_END: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.DEVICE_APPROVE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.USER_READ: _rule(Role.MEMBER, Scope.ALL),
    Action.USER_UPDATE: _rule(Role.MEMBER, Scope.ALL),
    Action.SECRET_READ: _rule(Role.MEMBER, Scope.ALL),
    Action.SECRET_PUT: _rule(Role.MEMBER, Scope.ALL),
    Action.SECRET_DELETE: _rule(Role.MEMBER, Scope.ALL),
    Action.ORG_SECRET_READ: _rule(Role.ADMIN, Scope.ALL),
    Action.ORG_SECRET_PUT: _rule(Role.ADMIN, Scope.ALL),
    Action.ORG_SECRET_DELETE: _rule(Role.ADMIN, Scope.ALL),
    # An SSH key is a credential, which no key may make or take.
    Action.SSH_KEY_READ: _rule(Role.MEMBER, Scope.ALL),
    Action.SSH_KEY_ADD: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.SSH_KEY_REMOVE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.ORG_CREATE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.ORG_READ: _rule(Role.MEMBER, Scope.ORG_READ),
    Action.ORG_LIST: _rule(Role.MEMBER, Scope.ORG_READ),
    Action.ORG_UPDATE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.ORG_DELETE: _rule(Role.OWNER, Scope.ALL, session_only=True),
    Action.MEMBER_READ: _rule(Role.MEMBER, Scope.ORG_READ),
    # Only a program that embeds Spunto does this; no endpoint leads to it.
    Action.MEMBER_ENROL: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.MEMBER_UPDATE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    # Everybody may leave; who removes somebody else needs a higher role, which the use case checks.
    Action.MEMBER_REMOVE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.INVITATION_READ: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.INVITATION_CREATE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.INVITATION_REVOKE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.INVITATION_ACCEPT: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    # Members see and revoke their own keys; admins see and revoke all.
    Action.API_KEY_READ: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.API_KEY_CREATE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.API_KEY_REVOKE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.AUDIT_READ: _rule(Role.ADMIN, Scope.ORG_READ),
    Action.EVENT_READ: _rule(Role.MEMBER, Scope.ORG_READ),
    Action.WEBHOOK_READ: _rule(Role.ADMIN, Scope.ALL),
    Action.WEBHOOK_CREATE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.WEBHOOK_UPDATE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.WEBHOOK_DELETE: _rule(Role.ADMIN, Scope.ALL, session_only=True),
    Action.NODE_READ: _rule(Role.MEMBER, Scope.NODES_READ),
    Action.NODE_CREATE: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.NODE_UPDATE: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.NODE_DELETE: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.NODE_ROTATE_TOKEN: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.NODE_DRAIN: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.NODE_UNDRAIN: _rule(Role.ADMIN, Scope.NODES_WRITE),
    Action.PROJECT_READ: _rule(Role.MEMBER, Scope.PROJECTS_READ),
    Action.PROJECT_CREATE: _rule(Role.MEMBER, Scope.PROJECTS_WRITE),
    # Its creator's for members.
    Action.PROJECT_UPDATE: _rule(Role.MEMBER, Scope.PROJECTS_WRITE),
    Action.PROJECT_DELETE: _rule(Role.MEMBER, Scope.PROJECTS_WRITE),
    Action.WORKER_READ: _rule(Role.MEMBER, Scope.WORKERS_READ),
    Action.WORKER_SPAWN: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    Action.WORKER_STOP: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    Action.WORKER_START: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    Action.WORKER_DESTROY: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    Action.WORKER_UPDATE: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    Action.WORKER_REBUILD: _rule(Role.MEMBER, Scope.WORKERS_WRITE),
    # Whoever works in it may go on.
    Action.WORKER_KEEP_ALIVE: _rule(Role.MEMBER, Scope.WORKERS_WRITE, Scope.WORKERS_EXEC),
    # Its own for members; admins' looks are audited.
    Action.WORKER_READ_OUTPUT: _rule(Role.MEMBER, Scope.WORKERS_READ),
    Action.WORKER_ENTER: _rule(Role.MEMBER, Scope.WORKERS_EXEC),
    # Whoever lets others in must be able to get in.
    Action.WORKER_SHARE: _rule(Role.MEMBER, Scope.WORKERS_EXEC),
    Action.WORKER_LINK_READ: _rule(Role.MEMBER, Scope.WORKERS_EXEC),
    # A link is a credential, which no key may make.
    Action.WORKER_LINK_CREATE: _rule(Role.MEMBER, Scope.ALL, session_only=True),
    Action.WORKER_LINK_REVOKE: _rule(Role.MEMBER, Scope.WORKERS_EXEC),
}
