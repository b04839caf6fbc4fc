#!/bin/sh
# Makes this Debian or Ubuntu server a node of ${server_url}. Run as root, with the node's token in SPUNTO_AGENT_TOKEN
# or in /etc/spunto/agent.token. Running it again updates the agent.
set -eu

server_url='${server_url}'
package='spunto[agent] @ ${server_url}/api/agent/wheels/${wheel}'
home=/opt/spunto-agent
token_file=/etc/spunto/agent.token
pid_file=/run/spunto-agent.pid
log_file=/var/log/spunto-agent.log

die() { echo "spunto: $$*" >&2; exit 1; }

install_packages() {
    missing=""
    python3 -c 'import ensurepip' 2>/dev/null || missing="python3-venv"
    command -v dockerd >/dev/null || command -v podman >/dev/null || missing="$$missing docker.io"
    if [ -n "$$missing" ]; then
        apt-get update -q
        # shellcheck disable=SC2086 # several packages
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed as python3"
}

configure() {
    install -d -m 0700 /etc/spunto /var/lib/spunto-agent
    if [ ! -e /etc/spunto/agent.toml ]; then
        cat >/etc/spunto/agent.toml <<TOML
server_url = "$$server_url"
token_file = "$$token_file"
data_dir = "/var/lib/spunto-agent"
TOML
    fi
    # The token must not go to a server that it is not of.
    grep -Fqx "server_url = \"$$server_url\"" /etc/spunto/agent.toml ||
        die "/etc/spunto/agent.toml names another server: correct or remove it"
    if [ -n "$${SPUNTO_AGENT_TOKEN:-}" ]; then
        (umask 077 && printf '%s\n' "$$SPUNTO_AGENT_TOKEN" >"$$token_file")
    fi
    [ -s "$$token_file" ] || die "put the node's token into SPUNTO_AGENT_TOKEN or $$token_file"
}

install_agent() {
    python3 -m venv "$$home"
    "$$home/bin/pip" install -q --upgrade "$$package"
    # By itself pip keeps what has the same version, also where the server's code is another one.
    "$$home/bin/pip" install -q --force-reinstall --no-deps "$$package"
}

run_by_systemd() {
    cat >/etc/systemd/system/spunto-agent.service <<UNIT
[Unit]
Description=Spunto agent
After=network-online.target docker.service podman.socket spunto-holder.service
Wants=network-online.target spunto-holder.service

[Service]
ExecStart=$$home/bin/python -m spunto_agent
Environment=SPUNTO_AGENT_STARTS_HOLDER=false
Restart=always
RestartSec=5
RestartPreventExitStatus=77 78

[Install]
WantedBy=multi-user.target
UNIT
    # Terminals live here, so that this line, run again, ends none of them.
    cat >/etc/systemd/system/spunto-holder.service <<UNIT
[Unit]
Description=Spunto's holder of terminals
After=docker.service podman.socket

[Service]
ExecStart=$$home/bin/python -m spunto_agent.holder /var/lib/spunto-agent/holder
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    command -v dockerd >/dev/null || systemctl enable --now podman.socket
    systemctl enable spunto-agent
    systemctl enable --now spunto-holder
    systemctl restart spunto-agent
    sleep 3
    systemctl is-active -q spunto-agent || die "the agent has ended; see: journalctl -u spunto-agent"
    echo "spunto: the agent runs, now and after a reboot; see: journalctl -u spunto-agent"
}

run_by_itself() {
    pid=$$(cat "$$pid_file" 2>/dev/null || true)
    if [ -n "$$pid" ] && grep -qs spunto_agent "/proc/$$pid/cmdline"; then kill "$$pid"; fi
    # Left to the settings file, so that it runs as it would be started next time.
    unset SPUNTO_AGENT_TOKEN
    setsid nohup "$$home/bin/python" -m spunto_agent >>"$$log_file" 2>&1 </dev/null &
    pid=$$!
    echo "$$pid" >"$$pid_file"
    sleep 3
    kill -0 "$$pid" 2>/dev/null || { tail -n 3 "$$log_file" >&2; die "the agent has ended; its log is $$log_file"; }
    echo "spunto: the agent runs as process $$pid; its log is $$log_file"
    echo "spunto: there is no systemd here, so that after a reboot nothing starts it: run this command again then"
}

engine_answers() {
    curl -fsS -m 5 --unix-socket /var/run/docker.sock http://engine/_ping >/dev/null 2>&1 ||
        curl -fsS -m 5 --unix-socket /run/podman/podman.sock http://engine/_ping >/dev/null 2>&1
}

# Without systemd nobody has started what was installed a moment ago.
require_engine() {
    engine_answers && return
    command -v service >/dev/null && [ -e /etc/init.d/docker ] && service docker start >/dev/null 2>&1 || true
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        engine_answers && return
        sleep 1
    done
    die "no container engine answers, so that this node takes no workers yet; start dockerd or podman system service"
}

# Called at the end of the text, so that a download that breaks off runs nothing, and with an input of its own, so that
# no command reads the rest of this script away.
main() {
    [ "$$(id -u)" = 0 ] || die "run this as root"
    command -v apt-get >/dev/null || die "only Debian and Ubuntu are known here; see the manual for others"
    install_packages
    configure
    install_agent
    if [ -d /run/systemd/system ]; then run_by_systemd; else run_by_itself; fi
    require_engine
    # Without it projects need an image that the engine can pull.
    "$$home/bin/python" -m spunto_agent.worker_image || echo "spunto: this node has no default worker image" >&2
}

main </dev/null
