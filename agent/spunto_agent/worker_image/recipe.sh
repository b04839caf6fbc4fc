#!/usr/bin/env bash
# recipe.sh ARCHIVE: builds the default worker image's files from the packages of this Debian or Ubuntu, as root.
# A change takes a new number of the image (`__main__.py`): what an engine or the cache has is taken as it is.
set -euo pipefail

packages=bash,ca-certificates,curl,git,iproute2,less,locales,openssh-client,openssh-sftp-server,procps,python3,sudo,tmux
release=$(. /etc/os-release && echo "$VERSION_CODENAME")

# The machine's own release and mirrors, as lines of a sources.list.
apt_sources() {
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        grep -E " $release(-updates|-security)? (main|universe)\$" | sort -u
}

if ! command -v mmdebstrap >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    options=(-y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
    apt-get install "${options[@]}" mmdebstrap || { apt-get update && apt-get install "${options[@]}" mmdebstrap; }
fi
# A fresh machine may have no package lists yet.
apt_sources | grep -q . || apt-get update
apt_sources | mmdebstrap --quiet --variant=minbase --include="$packages" --format=tar \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash vscode' \
    --customize-hook='echo "vscode ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/vscode"' \
    --customize-hook='chmod 0440 "$1/etc/sudoers.d/vscode"' \
    --customize-hook='install -d -o 1000 -g 1000 "$1/workspace"' \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
    "$release" "$1" -
