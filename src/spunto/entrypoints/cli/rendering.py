"""How things look to people: columns and fields of each kind, ages and sizes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from spunto.client.activity_models import AuditEntry, Delivery, Event, Webhook
from spunto.client.models import (
    ApiKey,
    InventoryItem,
    Invitation,
    Member,
    Node,
    Organization,
    Port,
    Project,
    ProjectVersion,
    SshKey,
    Stats,
    User,
    UserSecret,
    Worker,
)
from spunto.entrypoints.cli.output import Columns

Placed = tuple[Project, Worker]


def age(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that leaves a whole number."""
    if at is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - at).total_seconds()))
    for unit_seconds, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit_seconds:
            return f"{seconds // unit_seconds}{unit}"
    return f"{seconds}s"


def size(count_bytes: int | None) -> str:
    if count_bytes is None:
        return ""
    amount = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def instant(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def pairs(values: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values)


ORGANIZATIONS: Columns[Organization] = (
    ("NAME", lambda organization: organization.name),
    ("SLUG", lambda organization: organization.slug),
    ("ROLE", lambda organization: organization.role),
    ("ID", lambda organization: organization.id),
)

MEMBERS: Columns[Member] = (
    ("NAME", lambda member: member.name),
    ("EMAIL", lambda member: member.email),
    ("ROLE", lambda member: member.role),
    ("ID", lambda member: member.user_id),
)

SECRETS: Columns[UserSecret] = (
    ("NAME", lambda secret: secret.name),
    ("CHANGED", lambda secret: age(secret.updated_at)),
    ("ID", lambda secret: secret.id),
)

SSH_KEYS: Columns[SshKey] = (
    ("NAME", lambda key: key.name),
    ("TYPE", lambda key: key.type),
    ("FINGERPRINT", lambda key: key.fingerprint),
    ("AGE", lambda key: age(key.created_at)),
    ("ID", lambda key: key.id),
)

AUDIT: Columns[AuditEntry] = (
    ("AT", lambda entry: instant(entry.at)),
    ("ACTION", lambda entry: entry.action),
    ("OUTCOME", lambda entry: entry.outcome),
    ("ACTOR", lambda entry: entry.actor_id),
    ("TARGET", lambda entry: entry.target_id),
    ("DETAIL", lambda entry: pairs(entry.detail.items())),
)

INVITATIONS: Columns[Invitation] = (
    ("EMAIL", lambda invitation: invitation.email),
    ("ROLE", lambda invitation: invitation.role),
    ("MAIL", lambda invitation: invitation.mail),
    ("EXPIRES", lambda invitation: instant(invitation.expires_at)),
    ("ID", lambda invitation: invitation.id),
)

API_KEYS: Columns[ApiKey] = (
    ("NAME", lambda key: key.name),
    ("OWNER", lambda key: key.owner_type),
    ("SCOPES", lambda key: ", ".join(key.scopes)),
    ("PREFIX", lambda key: key.prefix),
    ("EXPIRES", lambda key: instant(key.expires_at) or "never"),
    ("USED", lambda key: age(key.last_used_at)),
    ("ID", lambda key: key.id),
)

WEBHOOKS: Columns[Webhook] = (
    ("URL", lambda webhook: webhook.url),
    ("EVENTS", lambda webhook: _events(webhook)),
    ("STATE", lambda webhook: _state(webhook)),
    ("AGE", lambda webhook: age(webhook.created_at)),
    ("ID", lambda webhook: webhook.id),
)

DELIVERIES: Columns[Delivery] = (
    ("TYPE", lambda delivery: delivery.type),
    ("STATUS", lambda delivery: delivery.status),
    ("ATTEMPTS", lambda delivery: str(delivery.attempts)),
    ("ANSWER", lambda delivery: _answer(delivery)),
    ("AGE", lambda delivery: age(delivery.created_at)),
    ("NEXT", lambda delivery: instant(delivery.next_attempt_at)),
    ("ID", lambda delivery: delivery.id),
)

NODES: Columns[Node] = (
    ("NAME", lambda node: node.name),
    ("STATUS", lambda node: node.status),
    ("CPUS", lambda node: _share(f"{node.reserved_cpus:g}", None if node.cpus is None else f"{node.cpus:g}")),
    ("MEMORY", lambda node: _share(size(node.reserved_memory_bytes), size(node.memory_bytes) or None)),
    ("WORKERS", lambda node: str(node.workers)),
    ("ENGINE", lambda node: "" if node.agent is None else f"{node.agent.engine} {node.agent.engine_version}"),
    ("ID", lambda node: node.id),
)

INVENTORY: Columns[InventoryItem] = (
    ("NAME", lambda item: item.name),
    ("KIND", lambda item: item.kind or ""),
    ("STATE", lambda item: item.docker_state),
    ("KNOWN", lambda item: item.known),
    ("CONTAINER", lambda item: item.container_id[:12]),
)

PROJECTS: Columns[Project] = (
    ("NAME", lambda project: project.name),
    ("VERSION", lambda project: f"v{project.version}"),
    ("IMAGE", lambda project: project.image),
    ("CPUS", lambda project: "" if project.cpus is None else f"{project.cpus:g}"),
    ("MEMORY", lambda project: size(project.memory_bytes)),
    ("AGE", lambda project: age(project.created_at)),
    ("ID", lambda project: project.id),
)

VERSIONS: Columns[ProjectVersion] = (
    ("VERSION", lambda version: f"v{version.version}"),
    ("IMAGE", lambda version: version.image),
    ("AGE", lambda version: age(version.created_at)),
    ("RESTORED FROM", lambda version: "" if version.restored_from is None else f"v{version.restored_from}"),
)

WORKERS: Columns[Placed] = (
    ("NAME", lambda placed: placed[1].name),
    ("PROJECT", lambda placed: placed[0].name),
    ("STATE", lambda placed: placed[1].state),
    ("CONTAINER", lambda placed: placed[1].docker_state),
    ("VERSION", lambda placed: f"v{placed[1].project_version}{' (outdated)' if placed[1].outdated else ''}"),
    ("AGE", lambda placed: age(placed[1].created_at)),
    ("ID", lambda placed: placed[1].id),
)

PORTS: Columns[Port] = (
    ("PORT", lambda port: str(port.port)),
    ("ADDRESS", lambda port: port.address),
    ("PROCESS", lambda port: port.process or ""),
    ("URL", lambda port: port.url or ""),
)


def event_line(event: Event) -> str:
    """One line for people; programs read JSON."""
    said = pairs(event.data.items())
    return f"{event.sequence:>6}  {instant(event.at)}  {event.type:<22}  {event.subject_id}{said and '  '}{said}"


def organization_fields(organization: Organization) -> Iterable[tuple[str, str]]:
    yield from (("name", organization.name), ("slug", organization.slug), ("role", organization.role))
    yield from (("created", instant(organization.created_at)), ("id", organization.id))


def user_fields(user: User) -> Iterable[tuple[str, str]]:
    yield from (("name", user.name), ("email", user.email), ("dotfiles", user.dotfiles_repo or ""))
    yield from (("created", instant(user.created_at)), ("id", user.id))


def node_fields(node: Node) -> Iterable[tuple[str, str]]:
    yield from (("name", node.name), ("status", node.status), ("labels", pairs(node.labels.items())))
    if node.error is not None:
        yield "error", node.error.message
    for header, cell in NODES[2:5]:
        yield header.lower(), cell(node)
    if node.agent is not None:
        yield from (("agent", node.agent.version), ("engine", f"{node.agent.engine} {node.agent.engine_version}"))
        yield "engine error", "" if node.agent.engine_error is None else node.agent.engine_error.message
        yield "posture", pairs((key, str(value)) for key, value in node.agent.posture.items())
    yield "connected" if node.status in ("online", "draining") else "last seen", instant(node.connection_changed_at)
    yield from (("created", instant(node.created_at)), ("id", node.id))


def project_fields(project: Project) -> Iterable[tuple[str, str]]:
    yield from (("name", project.name), ("description", project.description), ("version", f"v{project.version}"))
    yield from (("image", project.image), ("env", pairs(project.env.items())))
    yield "cpus", "" if project.cpus is None else f"{project.cpus:g}"
    yield from (("memory", size(project.memory_bytes)), ("labels", pairs(project.labels.items())))
    yield "post-create", project.post_create_command or ""
    yield "post-start", project.post_start_command or ""
    yield "secrets", ", ".join(project.secrets)
    yield from (("created", instant(project.created_at)), ("changed", instant(project.updated_at)), ("id", project.id))


def api_key_fields(key: ApiKey) -> Iterable[tuple[str, str]]:
    yield from (("name", key.name), ("owner", key.owner_type), ("scopes", ", ".join(key.scopes)))
    yield from (("expires", instant(key.expires_at) or "never"), ("id", key.id))


def webhook_fields(webhook: Webhook) -> Iterable[tuple[str, str]]:
    yield from (("url", webhook.url), ("description", webhook.description), ("events", _events(webhook)))
    yield from (("state", _state(webhook)), ("failing since", instant(webhook.failing_since)))
    yield from (("created", instant(webhook.created_at)), ("id", webhook.id))


def delivery_fields(delivery: Delivery) -> Iterable[tuple[str, str]]:
    yield from (("type", delivery.type), ("status", delivery.status), ("attempts", str(delivery.attempts)))
    yield from (("answer", _answer(delivery)), ("error", "" if delivery.error is None else delivery.error.message))
    yield from (("created", instant(delivery.created_at)), ("last attempt", instant(delivery.last_attempt_at)))
    yield from (("next attempt", instant(delivery.next_attempt_at)), ("event", delivery.event_id), ("id", delivery.id))


def worker_fields(worker: Worker) -> Iterable[tuple[str, str]]:
    yield from (("name", worker.name), ("state", worker.state), ("error", worker.error.message if worker.error else ""))
    yield "setup", worker.setup_status.phase if worker.setup_status else ""
    yield from (("container", worker.docker_state), ("branch", worker.branch or ""))
    yield "version", f"v{worker.project_version}{' (outdated)' if worker.outdated else ''}"
    yield from (("project", worker.project_id), ("node", worker.node_id or ""))
    yield from (("created", instant(worker.created_at)), ("stopped", instant(worker.stopped_at)), ("id", worker.id))
    explanation = worker.explanation
    if explanation is not None:
        yield "wanted", f"{explanation.wanted} since {instant(explanation.wanted_since)}"
        yield "observed", "nothing yet" if explanation.observed is None else pairs(_said(explanation.observed))
        yield "blocking", explanation.blocking or "nothing"
        yield "since", instant(explanation.since)
        yield "next", explanation.next or ""
        yield "deadline", instant(explanation.next_at)


def stats_fields(stats: Stats) -> Iterable[tuple[str, str]]:
    yield "cpu", f"{stats.cpu_percent:.1f} %"
    yield "memory", _share(size(stats.memory_bytes), size(stats.memory_limit_bytes) or "no limit")
    yield "processes", "" if stats.pids is None else str(stats.pids)
    yield "network", f"{size(stats.network_rx_bytes)} in, {size(stats.network_tx_bytes)} out"
    yield "block", f"{size(stats.block_read_bytes)} read, {size(stats.block_write_bytes)} written"
    yield "sampled", instant(stats.sampled_at)


def _events(webhook: Webhook) -> str:
    return "all" if webhook.events is None else ", ".join(webhook.events)


def _state(webhook: Webhook) -> str:
    if webhook.enabled:
        return "enabled" if webhook.failing_since is None else "failing"
    return "disabled" if webhook.disabled_reason is None else f"disabled ({webhook.disabled_reason})"


def _answer(delivery: Delivery) -> str:
    if delivery.response_status is not None:
        return str(delivery.response_status)
    return "" if delivery.error is None else delivery.error.code


def _said(observed: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return ((key, str(value)) for key, value in observed.items() if value is not None)


def _share(taken: str, whole: str | None) -> str:
    return "" if whole is None else f"{taken} / {whole}"
