#!/bin/bash
# The units on a real systemd: a minimal Debian in a folder (build/debian-root, made once), booted as a container of its own
# without a network, twice. Needs root, debootstrap and systemd-nspawn.
#
#   run.sh PROGRAMS PACKAGE     PROGRAMS: where tpf-generate and tpf-probe are
set -eu
cd "$(dirname "$0")/../.."
bin=$(realpath "$1") deb=$(realpath "$2") root=$PWD/build/debian-root
. script/lib/debian_root.sh
skip() { echo "SKIPPED: systemd: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v debootstrap systemd-nspawn >/dev/null || skip "needs debootstrap and systemd-nspawn"

# What the package asks for comes from outside; the package itself is installed in the booted machine, which has no network.
install_dependencies() {
  local packages
  packages=$(dpkg-deb -f "$1" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g')
  packages="$packages softhsm2 p11-kit p11-kit-modules"  # a token, for the part with keys in one
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"; chmod +x "$root/usr/sbin/policy-rc.d"
  # What an earlier run left.
  chroot "$root" dpkg --purge tpf >/dev/null 2>&1 || true
  rm -rf "$root"/etc/systemd/system/*.wants/tpf* "$root"/etc/systemd/system/tpf*
  if ! chroot "$root" dpkg-query -W $packages >/dev/null 2>&1; then
    chroot "$root" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq --no-install-recommends $packages >/dev/null
  fi
  rm "$root/usr/sbin/policy-rc.d"
}

# newer DEB OUT: the same package with the next version, to upgrade to.
newer() {
  local folder; folder=$(mktemp -d)
  dpkg-deb -R "$1" "$folder"
  sed -i 's/^Version: .*/&.1/' "$folder/DEBIAN/control"
  dpkg-deb --root-owner-group -b "$folder" "$2" >/dev/null
  rm -rf "$folder"
}

nspawn=''
trap '[ -z "$nspawn" ] || kill -KILL "$nspawn" 2>/dev/null || true' EXIT
# boot COMMAND…: runs it beside the booted systemd, then powers the machine off.
boot() {
  local log leader='' code=0
  log=$(mktemp)
  setsid systemd-nspawn --register=no --keep-unit --private-network -D "$root" --boot </dev/null >"$log" 2>&1 &
  nspawn=$!
  for _ in $(seq 120); do
    leader=$(pgrep -P "$nspawn" | head -n 1) || true
    [ -n "$leader" ] && nsenter -t "$leader" -m -u -i -n -p systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && break
    kill -0 "$nspawn" 2>/dev/null || { cat "$log"; echo "error: the container did not boot" >&2; return 1; }
    sleep 0.5
  done
  nsenter -t "$leader" -m -u -i -n -p -- "$@" || code=$?
  nsenter -t "$leader" -m -u -i -n -p systemctl poweroff >/dev/null 2>&1 || true
  for _ in $(seq 120); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.5; done
  kill -KILL "$nspawn" 2>/dev/null || true
  wait "$nspawn" 2>/dev/null || true
  nspawn=''
  rm -f "$log"
  return "$code"
}

# What the units promise on paper, and not one warning.
paper() {
  local unit most now
  while read -r unit most; do
    now=$(systemd-analyze security --offline=yes "systemd/$unit" | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
    echo "$unit: exposure $now, at most $most"
    awk "BEGIN { exit !($now <= $most) }" || { echo "FAILED: $unit is more exposed than it may be" >&2; return 1; }
  done <<<"tpfd.service 0.4
tpf-forward.service 1.1"
}

paper
mkdir -p build
[ -d "$root" ] || { echo "making a Debian in $root (the first time takes a minute)"; make_debian_root "$root" systemd,systemd-sysv,dbus,openssl,acl >build/debian-root.log 2>&1 || { tail -n 20 build/debian-root.log; exit 1; }; }
install_dependencies "$deb"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
rm -rf "$root/var/log/journal" "$root/opt/tpf" "$root/root/play" "$root/root/tpf-backup" "$root/var/lib/tpf" "$root/etc/tpf"
mkdir -p "$root/opt/tpf/bin" "$root/opt/tpf/script" "$root/opt/tpf/tests"
cp "$deb" "$root/opt/tpf/tpf.deb"; newer "$deb" "$root/opt/tpf/newer.deb"
cp "$bin"/tpf-generate "$bin"/tpf-probe "$root/opt/tpf/bin/"
cp docs/operations.md docs/key-management.md "$root/opt/tpf/"
cp -r script/lib "$root/opt/tpf/script/"; cp -r tests/machine "$root/opt/tpf/tests/"
# Not everywhere can a container be started.
systemd-nspawn -q --register=no --keep-unit --private-network -D "$root" /bin/true </dev/null >/dev/null 2>&1 || skip "no container can be started here"
for part in first second; do boot bash /opt/tpf/tests/machine/inside.sh /opt/tpf/bin /opt/tpf "$part"; done
