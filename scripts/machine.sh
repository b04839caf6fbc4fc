# Shared by the set-up scripts: locks, packages, and daemons that outlive the script that starts them.
set -euo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=$(dirname "$scripts")/agent
engine_api=$agent/spunto_agent/worker_image/engine_api.py
cache=${XDG_CACHE_HOME:-$HOME/.cache}/spunto
if ((EUID == 0)); then state=/run/spunto logs=/var/log/spunto; else state=$cache/run logs=$cache/log; fi
mkdir -p "$cache" "$state" "$logs"

say() { echo "spunto: $*" >&2; }
die() { say "$@"; exit 1; }

# Held until this script ends. Whoever comes second waits, and then finds the work done.
lock() {
    exec 9>"$state/$1.lock"
    flock 9
}

can_install() { ((EUID == 0)) && command -v apt-get >/dev/null; }

# Missing or stale package lists are fetched only when an install fails, so that the usual case asks no mirror.
install_packages() {
    local options=(-y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
    # Runlevel 1: package scripts must not start services on a machine without an init system.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    say "installing $*"
    (
        flock 8
        apt-get install "${options[@]}" "$@" || { apt-get update && apt-get install "${options[@]}" "$@"; }
    ) >>"$logs/apt.log" 2>&1 8>"$state/apt.lock" 9>&- || die "apt-get install $* failed; see $logs/apt.log"
}

# start_daemon NAME COMMAND...: its pid goes to $state/NAME.pid, from where scripts/stop ends it.
# It runs in $state, because conmon writes a file `oom` wherever Podman runs, as soon as a container is out of memory.
start_daemon() {
    local name=$1
    shift
    (cd "$state" && exec setsid nohup "$@" >>"$logs/$name.log" 2>&1 </dev/null 9>&-) &
    echo $! >"$state/$name.pid"
    disown
}

# wait_for SECONDS COMMAND...
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}
