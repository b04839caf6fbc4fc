"""Every problem code that a client can meet: its status, what it means and what to do. `docs/errors.md` shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`also` is a second status, of the operations that say so."""

    status: int
    meaning: str
    way_out: str
    also: int | None = None


def _e(status: int, meaning: str, way_out: str, *, also: int | None = None) -> Entry:
    return Entry(status=status, meaning=meaning, way_out=way_out, also=also)


_AGAIN: Final = "Try again after `Retry-After`."
_LIST: Final = "List what there is; ids of other organizations are unknown here."
_NAME: Final = "Take another name."

CATALOGUE: Final[Mapping[str, Entry]] = {
    # Requests that can't be read
    "bad_frame": _e(400, "A WebSocket frame is not one of those that the socket takes.", "See the document's sockets."),
    "bad_request": _e(400, "The request can't be understood.", "Send well-formed HTTP."),
    "duplicate_cookie": _e(400, "Session cookies of two people came.", "Clear the site's cookies."),
    "duplicate_header": _e(400, "A header that may come once came twice.", "Send it once."),
    "invalid_cursor": _e(400, "The cursor is not one of this list.", "Take `nextCursor` from the last page."),
    "invalid_event_id": _e(400, "Last-Event-ID is not the number of an event.", "Send the `id` of the last one seen."),
    "invalid_if_match": _e(400, "If-Match is neither `*` nor ETags in quotes.", "Send the `ETag` of the answer."),
    "invalid_idempotency_key": _e(400, "Idempotency-Key is not 1 to 255 printable ASCII characters.", "Take a UUID."),
    "invalid_json": _e(400, "The body is not JSON.", "`detail` says where it breaks."),
    "invalid_query": _e(400, "A query parameter is unknown or not as it should be.", "`errors` says which one."),
    "json_too_deep": _e(400, "The body is nested deeper than 32 levels.", "Send a flatter one."),
    "nul_character": _e(400, "A text holds the character NUL.", "Leave it out."),
    "access_denied": _e(400, "A person denied the terminal's sign-in.", "Begin again, if it was a mistake."),
    "authorization_pending": _e(400, "Nobody has decided yet.", "Ask again after `interval` seconds."),
    "expired_token": _e(400, "The terminal's sign-in was used, or took too long.", "Begin again."),
    "invalid_form": _e(400, "A field of the form is missing or not as it should be.", "`detail` says which one."),
    "invalid_scope": _e(400, "A terminal's sign-in has no scopes.", "Leave `scope` out."),
    "slow_down": _e(400, "The terminal asked too soon.", "Wait `interval` seconds between two tries."),
    "unsupported_grant_type": _e(400, "Only terminals are signed in here.", "Take the device grant's `grant_type`."),
    "sign_in_not_begun": _e(400, "The sign-in was begun elsewhere, or too long ago.", "Begin again."),
    "upgrade_not_known": _e(
        400, "Nothing but `websocket` is upgraded to.", "Leave the header Upgrade out; in Java, ask for `HTTP_1_1`."
    ),
    # Who asks
    "code_not_good": _e(401, "The sign-in link was used or has expired.", "Ask for a new one."),
    "credential_missing": _e(401, "Nobody said who asks.", "Sign in, or send `Authorization: Bearer <token>`."),
    "credential_not_good": _e(401, "The token is unknown, expired or revoked.", "Sign in again, or make a new key."),
    "identity_not_good": _e(401, "The provider's ID token is not good for this sign-in.", "Begin again."),
    "link_not_good": _e(401, "The link to a worker's port has ended or was taken back.", "Ask for a new one."),
    "sign_in_refused": _e(401, "The provider refused the sign-in.", "Begin again; `providerError` has its word."),
    # What they may do
    "domain_not_allowed": _e(403, "Only accounts of one domain may sign in here.", "Take such an account."),
    "invitation_of_another_address": _e(
        403, "The invitation is for another e-mail address.", "Sign in with the account that has that address."
    ),
    "email_missing": _e(403, "The provider tells no e-mail address of the account.", "Give the account one."),
    "email_not_verified": _e(403, "The provider says that the e-mail address is not verified.", "Verify it there."),
    "email_verification_unsaid": _e(
        403,
        "The provider does not say whether the e-mail address is verified.",
        "The operator may set `SPUNTO_OIDC_TRUST_UNSAID_EMAIL`.",
    ),
    "sign_in_cancelled": _e(403, "The sign-in was cancelled.", "Begin again."),
    "foreign_origin": _e(403, "A foreign page used a visitor's cookie.", "Programs send a Bearer token."),
    "https_required": _e(403, "Cookies need https or localhost.", "Set up TLS, or use a token as Bearer."),
    "metrics_closed": _e(403, "The figures are for this machine alone.", "The operator sets `SPUNTO_METRICS_TOKEN`."),
    "missing_scope": _e(403, "The API key lacks the scope.", "Take a key with one of `requiredScopes`."),
    "may_not_wake": _e(403, "Only its owner and admins start a worker.", "Ask its owner."),
    "not_owner": _e(403, "It is somebody else's.", "Ask its owner."),
    "port_private": _e(403, "The port is not for everybody.", "Ask its owner to share it or for a link, or sign in."),
    "role_required": _e(403, "The role in the organization is too low.", "Ask somebody with `requiredRole`."),
    "user_required": _e(403, "The key is an organization's; this is a person's own.", "Take a key of your own."),
    "session_required": _e(403, "API keys can't do this.", "Sign in instead."),
    # What there isn't
    "file_not_found": _e(404, "The worker has no such file or directory.", "List what its directory holds."),
    "asset_not_found": _e(404, "The reference has no file of this name.", "Open `/api/docs`."),
    "api_key_not_found": _e(404, "There is no such API key.", _LIST),
    "invitation_not_found": _e(404, "The invitation is unknown, used, revoked or expired.", "Ask for a new one."),
    "device_code_not_found": _e(404, "No terminal waits with this code.", "Look at it again, or begin again."),
    "member_not_found": _e(404, "This user is no member of the organization.", "List the members."),
    "node_not_found": _e(404, "There is no such node.", _LIST),
    "organization_not_found": _e(404, "There is no such organization for you.", _LIST),
    "project_not_found": _e(404, "There is no such project.", _LIST),
    "project_version_not_found": _e(404, "The project has no such version.", "List its versions."),
    "route_not_found": _e(404, "There is nothing at this address.", "See `/api/docs`."),
    "secret_not_found": _e(404, "There is no such secret.", _LIST),
    "sign_in_off": _e(
        404, "No sign-in provider is set up.", "Take a token, or have the operator set `SPUNTO_OIDC_CLIENT_ID`."
    ),
    "session_lost": _e(404, "The process that held the terminal died, and with it the shell.", "Open a new one."),
    "ssh_key_not_found": _e(404, "There is no such SSH key.", _LIST),
    "terminal_not_found": _e(404, "The terminal has ended.", "Open a new one."),
    "user_not_found": _e(404, "There is no such user here.", "List the members."),
    "webhook_delivery_not_found": _e(404, "There is no such delivery any more.", "List the webhook's deliveries."),
    "webhook_not_found": _e(404, "There is no such webhook.", _LIST),
    "wheel_not_found": _e(404, "This is not the package of the server's version.", "Fetch `install.sh` again."),
    "port_not_found": _e(404, "This is no port.", "Name a number from 1 to 65535."),
    "link_not_found": _e(404, "There is no such link.", "List the links of the port."),
    "worker_not_found": _e(404, "There is no such worker.", _LIST),
    "method_not_allowed": _e(405, "The address does not know the method.", "`Allow` names those it does."),
    "not_acceptable": _e(406, "Nothing of what Accept asks for can be answered.", "Accept JSON."),
    "request_timeout": _e(408, "The body did not arrive in time.", "Send it faster."),
    # What the present state forbids
    "assignment_exists": _e(409, "This stands on a node already.", "Look at it again."),
    "email_taken": _e(409, "There is a user with this e-mail address.", "Sign in as that one."),
    "grant_needed": _e(
        409,
        "The project needs secrets that may not enter the worker; `names` says which, `secrets` also why.",
        "Let them in (`grantSecrets`, or the secret's `projects`), set them, or spawn with `withoutSecrets`.",
    ),
    "last_owner": _e(409, "The organization would be without an owner.", "Make somebody else an owner first."),
    "member_already": _e(409, "This user is a member already.", "Change the role instead."),
    "organization_not_empty": _e(409, "The organization still has nodes or projects.", "Delete them first."),
    "secrets_full": _e(409, "There is room for only so many secrets.", "Delete some first."),
    "ssh_key_exists": _e(409, "The SSH key is registered already.", "Take another key."),
    "ssh_keys_full": _e(409, "A user has only so many SSH keys.", "Remove one first."),
    "no_node_available": _e(409, "No node can take the worker; `nodes` says for each why.", "Add or free a node."),
    "node_name_taken": _e(409, "The organization has a node of this name.", _NAME),
    "node_connected": _e(409, "The node's agent is connected.", "Delete with `?force=true`; it removes what it holds."),
    "node_not_empty": _e(409, "The node holds workers.", "Destroy them, or delete with `?force=true`."),
    "node_removed": _e(409, "The worker's node was removed.", "Destroy the worker."),
    "public_url_missing": _e(409, "Nobody said how other machines reach the server.", "Set `SPUNTO_PUBLIC_URL`."),
    "project_in_use": _e(409, "The project has workers.", "Destroy them first."),
    "project_name_taken": _e(409, "The organization has a project of this name.", _NAME),
    "slug_taken": _e(409, "The slug is taken.", "Choose another one."),
    "stale_version": _e(409, "Others changed it at the same time.", "Read it again and repeat."),
    "directory_not_empty": _e(409, "A directory in the worker is not empty.", "Say `recursive`, if that is meant."),
    "file_busy": _e(409, "A file in the worker is in use or mounted there.", "Write it in the worker, or elsewhere."),
    "file_exists": _e(409, "There is something at that path of the worker.", "Take another path, or say `overwrite`."),
    "file_is_directory": _e(409, "The path is a directory of the worker.", "Ask with `list` or `archive`."),
    "file_not_directory": _e(409, "The path is no directory of the worker.", "Ask for the file itself."),
    "file_not_permitted": _e(409, "The worker's user may not do that with the file.", "Change its mode by `exec`."),
    "file_not_regular": _e(409, "The path is a device, socket or pipe.", "Such things have no content."),
    "file_on_other_disk": _e(409, "A move crosses file systems of the worker.", "Copy it, then remove it."),
    "file_system_full": _e(409, "The worker's disk is full, or its quota used up.", "Remove something there."),
    "file_system_read_only": _e(409, "That part of the worker is read-only.", "Write below /workspace."),
    "file_too_large": _e(409, "The worker may make no file as large.", "Write it in parts."),
    "files_failed": _e(409, "The worker's file system refuses.", "`detail` says what it said."),
    "too_many_symlinks": _e(409, "A path of the worker leads through too many links.", "Name what it leads to."),
    "tree_too_deep": _e(409, "A tree of the worker is nested more than 256 deep.", "Work on a part of it."),
    "terminal_taken": _e(409, "The terminal was attached to from elsewhere, by an agent of before.", "Attach again."),
    "token_not_repeatable": _e(
        409,
        "The request was answered before, with a token or secret that is shown once.",
        "`id` names what was made; make another, or rotate its token or secret.",
    ),
    "tool_missing": _e(409, "The worker's image lacks a program (`tool`).", "Add it to the image, then rebuild."),
    "webhook_disabled": _e(409, "The webhook is disabled.", "Enable it first."),
    "webhooks_full": _e(409, "An organization has only so many webhooks.", "Delete one first."),
    "worker_name_taken": _e(409, "The project has a worker of this name.", _NAME),
    "worker_not_running": _e(
        409, "The worker does not run (503 where its figures are asked for).", "Start it first.", also=503
    ),
    "worker_paused": _e(
        409, "Somebody paused the worker's container on its node.", "Unpause it there, or stop and start the worker."
    ),
    "too_many_links": _e(409, "The port has 100 links already.", "Take some back."),
    "too_many_shared_ports": _e(409, "The worker shares 100 ports already.", "Take some back."),
    "worker_state": _e(409, "The worker's state does not allow it.", "`state` says where it is; wait, or destroy it."),
    # What the request itself made a condition
    "precondition_failed": _e(
        412, "It is not as `If-Match` says any more.", "Read it again, and repeat with its `ETag`."
    ),
    # What can't be taken
    "body_too_large": _e(413, "The body is larger than 1 MiB (`limitBytes`).", "Send less; `detail` says how much."),
    "address_too_long": _e(414, "The request line is longer than 8 KiB.", "Send less in the query."),
    "unsupported_media_type": _e(415, "The body is not JSON in UTF-8.", "Send `Content-Type: application/json`."),
    "range_not_satisfiable": _e(416, "The file has no such part.", "`Content-Range` says how large it is."),
    "misdirected_request": _e(421, "The server answers only by its public URL.", "Ask at that address."),
    "idle_timeout_invalid": _e(422, "An idle timeout has 60 seconds to 30 days.", "Ask for that, or for null: never."),
    "kept_too_long": _e(422, "A worker is kept alive for a day at a time at most.", "Ask for less, and again later."),
    "sharing_invalid": _e(422, "A project shares no port with everybody.", "Have each worker's owner say it."),
    "link_too_long": _e(422, "A link lasts at most 30 days.", "Ask for a shorter one."),
    "archive_entry_unusable": _e(422, "An archive leads out of its place, or holds devices.", "Pack plain files."),
    "content_encoding_unsupported": _e(422, "A file's body came encoded.", "Send its bytes as they are."),
    "archive_unreadable": _e(422, "The body is no whole tar archive.", "Send one without compression."),
    "path_unusable": _e(422, "A path of a worker can't be used.", "Begin it with `/`, in at most 4095 bytes."),
    "bad_stream_params": _e(422, "The node can't do what was asked for.", "See `detail`."),
    "env_too_large": _e(422, "Names and values of `env` are too many bytes together.", "Put files in the image."),
    "env_name_reserved": _e(422, "A variable's name is one that Spunto sets.", _NAME),
    "expiry_passed": _e(422, "The expiry lies in the past.", "Take a later one."),
    "branch_unsupported": _e(422, "Repositories are not cloned yet.", "Spawn without a branch."),
    "idempotency_key_unsupported": _e(
        422, "The operation can't promise to answer a repeat as before.", "Send it without Idempotency-Key."
    ),
    "idempotency_key_reused": _e(422, "The Idempotency-Key came with another body before.", "Take a new key."),
    "invalid_request": _e(422, "Fields of the body are not as they should be.", "`errors` says which ones."),
    "metadata_invalid": _e(422, "Metadata are JSON of at most 64 names and 16 KiB.", "Keep less there."),
    "name_invalid": _e(422, "A name has 1 to 100 characters that can be seen, and no `/`.", _NAME),
    "not_storable": _e(422, "A value is too large or has characters that can't be stored.", "Change it."),
    "precondition_unsupported": _e(
        422, "The operation can't honour `If-Match` or another condition (`header`).", "Send it without."
    ),
    "secret_name_invalid": _e(422, "A secret's name has A to Z, 0 to 9 and _.", _NAME),
    "secret_name_reserved": _e(422, "The name would change how programs run in a worker.", _NAME),
    "secret_value_invalid": _e(422, "A secret's value has 1 byte to 64 KiB, and no NUL.", "Change it."),
    "ssh_key_invalid": _e(422, "This is no public SSH key that can be used.", "`detail` says why."),
    "tags_invalid": _e(422, "A thing has at most 32 tags of 64 letters, digits and some signs.", "`detail` says why."),
    "webhook_url_invalid": _e(422, "This is no URL that a webhook could be sent to.", "`detail` says why."),
    "webhook_url_not_allowed": _e(
        422, "Webhooks go by https to the public internet.", "The operator sets `SPUNTO_WEBHOOK_ALLOWED_NETWORKS`."
    ),
    "websocket_version": _e(426, "WebSockets are spoken in version 13 alone.", "Ask for version 13."),
    "rate_limited": _e(429, "That was too often; `limit` says of what.", "Wait as long as `Retry-After` says."),
    "too_many_transfers": _e(429, "Too much goes on with files of the worker or its node.", _AGAIN),
    "too_many_terminals": _e(429, "The worker has as many terminals as it may.", "Close one."),
    "too_many_headers": _e(431, "The request has more than 100 headers.", "Send fewer."),
    "head_too_large": _e(431, "The request's head is larger than 16 KiB.", "Send fewer or shorter headers."),
    # What can't be done now
    "internal_error": _e(500, "A bug in Spunto.", "Report it with the request id; the log has it."),
    "coding_not_known": _e(501, "The body has a transfer coding that is not known.", "Send it plain, or chunked."),
    "connection_lost": _e(503, "The connection to the node was lost.", "Try again when the node is back."),
    "database_damaged": _e(503, "The database's file is damaged.", "Tell whoever runs the server: restore a backup."),
    "database_unavailable": _e(503, "The database can't answer now.", _AGAIN),
    "engine_refused": _e(503, "The node's engine won't do it.", "`detail` has its own words."),
    "engine_unavailable": _e(503, "The node's container engine does not answer.", "Look at the node."),
    "files_out_of_reach": _e(503, "The node's agent can't reach the worker's files.", "`detail` says why."),
    "exec_cut_off": _e(503, "The connection ended before the command.", "See whether it ran; try again."),
    "node_answer_missing": _e(503, "The node ended its answer before giving it.", "Try again."),
    "node_answer_unreadable": _e(503, "The node's answer can't be understood.", "Update its agent."),
    "node_offline": _e(503, "The node is not connected.", _AGAIN),
    "node_silent": _e(503, "The node did not answer in time.", "Try again."),
    "node_trouble": _e(503, "The node could not do it, for the reason in `nodeCode`.", "See `detail`; try again."),
    "not_ready": _e(503, "The process should be given no work now.", _AGAIN),
    "agent_incompatible": _e(
        503, "The node's agent and this server can't understand each other.", "Run the install line there again."
    ),
    "agent_too_old": _e(503, "The node's agent does not know that yet.", "Run the install line there again."),
    "holder_away": _e(503, "What holds the node's terminals can't be reached.", "Try again; look at the node."),
    "agent_not_admitted": _e(503, "What stood in the agent's way has just gone.", "Dial again."),
    "provider_unavailable": _e(503, "The sign-in provider does not answer.", "Try again."),
    "secret_key_missing": _e(
        503, "The keyring lacks a key that a secret is wrapped with.", "The operator puts it back."
    ),
    "secret_unreadable": _e(503, "A stored secret was changed.", "Set it again."),
    "server_stopping": _e(503, "The server is restarting.", _AGAIN),
    "stream_refused": _e(503, "The node takes no more streams now.", "Try again."),
    "terminal_input_stuck": _e(503, "Nothing in the terminal reads what was typed.", "Open another terminal."),
    "too_many_streams": _e(503, "The node has as many streams as it may.", "Close some, or try again."),
    "unknown_stream_kind": _e(503, "The node's agent is too old for this.", "Update the agent."),
    "version_not_supported": _e(505, "The request is not in HTTP/1.1.", "Use HTTP/1.1; a proxy may speak others."),
}
