#!/bin/sh
# Makes this Debian or Ubuntu server a node of ${server_url}. Run as root, with the node's token in SPUNTO_AGENT_TOKEN
# or in /etc/spunto/agent.token. Running it again updates the agent.
set -eu

server_url='${server_url}'
home=/opt/spunto-agent
token_file=/etc/spunto/agent.token

die() { echo "spunto: $$*" >&2; exit 1; }

[ "$$(id -u)" = 0 ] || die "run this as root"
command -v apt-get >/dev/null || die "only Debian and Ubuntu are known here; see the manual for others"

missing=""
python3 -c 'import ensurepip' 2>/dev/null || missing="python3-venv"
command -v dockerd >/dev/null || command -v podman >/dev/null || missing="$$missing docker.io"
if [ -n "$$missing" ]; then
    apt-get update -q
    # shellcheck disable=SC2086 # several packages
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing
fi

install -d -m 0700 /etc/spunto /var/lib/spunto-agent
if [ -n "$${SPUNTO_AGENT_TOKEN:-}" ]; then
    (umask 077 && printf '%s\n' "$$SPUNTO_AGENT_TOKEN" >"$$token_file")
fi
[ -s "$$token_file" ] || die "put the node's token into SPUNTO_AGENT_TOKEN or $$token_file"
if [ ! -e /etc/spunto/agent.toml ]; then
    cat >/etc/spunto/agent.toml <<TOML
server_url = "$$server_url"
token_file = "$$token_file"
data_dir = "/var/lib/spunto-agent"
TOML
fi

python3 -m venv "$$home"
"$$home/bin/pip" install -q --upgrade "spunto[agent] @ $$server_url/api/agent/${wheel}"

if [ -d /run/systemd/system ]; then
    cat >/etc/systemd/system/spunto-agent.service <<UNIT
[Unit]
Description=Spunto agent
After=network-online.target docker.service podman.socket
Wants=network-online.target

[Service]
ExecStart=$$home/bin/python -m spunto_agent
Restart=always
RestartSec=5
RestartPreventExitStatus=77 78

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --now spunto-agent
    systemctl restart spunto-agent
    echo "spunto: the agent runs; see: journalctl -u spunto-agent"
else
    setsid nohup "$$home/bin/python" -m spunto_agent >>/var/log/spunto-agent.log 2>&1 </dev/null &
    echo "spunto: the agent runs; its log is /var/log/spunto-agent.log"
fi
