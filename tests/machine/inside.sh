#!/bin/bash
# Inside a booted Debian, as root: the package is installed, its units are started, used, killed and rebooted as an operator would meet
# them. Called by tests/machine/run.sh; the machine is thrown away afterwards.
#
#   inside.sh PROGRAMS PROJECT first|second      second: after a reboot
set -eu
bin=$1 project=$2 part=$3
play=/root/play
mkdir -p $play
. "$project/script/lib/playground.sh"

checks=0
check() { # check TEXT COMMAND…
  local text=$1; shift
  checks=$((checks + 1))
  if "$@" >/tmp/check.log 2>&1; then echo "ok: $text"; return; fi
  echo "FAILED: $text" >&2; sed 's/^/    /' /tmp/check.log >&2
  journalctl -q --no-pager -n 12 -u tpfd -u tpf-forward >&2
  exit 1
}
property() { systemctl show -P "$2" "$1"; }
is() { [ "$(property "$1" "$2")" = "$3" ]; }
soon() { # soon SECONDS COMMAND…
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { "$@"; return 1; }; sleep 0.2; done
}
ctl() { tpfctl "$@"; }
# Whatever it says of itself, it says something.
answers() { ctl status --json | grep -qF '"health"'; }
outcome() { ctl queue show "$1" --json | grep -F "\"$2\""; }

# guide NAME [FILE]: the commands of that block of docs/operations.md, or of FILE in docs, as they stand.
guide() {
  awk -v name="$1" '$0 == "```sh " name { on = 1; next } /^```/ { on = 0 } on' "$project/${2:-operations.md}" >/tmp/guide
  [ -s /tmp/guide ] && (cd $play && bash -ex /tmp/guide)
}

# The package, as it comes.
unpack() {
  install -m 755 "$bin"/tpf-generate "$bin"/tpf-probe /usr/bin/
  cp "$project/tpf.deb" $play/tpf_0_all.deb
  check "the package is installed" guide install
  check "it started nothing" sh -c '! systemctl is-active --quiet tpfd && ! systemctl is-active --quiet tpf-forward && ! systemctl is-enabled --quiet tpf.target'
  check "its configuration is the sample" sh -c 'tpfctl config sample | cmp - /etc/tpf/tpf.toml && tpfd --check-config'
  check "its manual pages are there" sh -c 'for page in tpfd.8 tpf-forward.8 tpfctl.1 tpf-krypt.1 tpf-register.1 tpf.toml.5 tpf-message.5 tpf-nokler.5 tpf-spool.5 tpf-audit.5 tpf-keyring.5; do dpkg -L tpf | grep -q "/$page.gz$" || exit 1; done'
}

# stages ID STAGE…: exactly these are in the journal, each with the message's id.
stages() {
  local id=$1; shift
  [ "$(journalctl -q -o json --output-fields=TPF_STAGE -u tpfd -u tpf-forward TPF_MESSAGE="$id" | grep -oE '"TPF_STAGE":"[a-z]+"' | cut -d'"' -f4 | grep -v submit | sort -u | tr '\n' ' ')" = "$* " ]
}

# A good change comes into force, a bad one does not, and says so.
reload() {
  check "a configuration that did not change is reloaded" guide reload
  sed -i 's/reserve_bytes = .*/reserve_bytes = "17 MiB"/' /etc/tpf/tpf.toml
  check "a changed one too" systemctl reload tpfd
  check "and is in force" soon 10 bash -c "tpfctl status --json | grep -q '\"reserve_bytes\":17825792'"
  check "the audit log says which setting" bash -c "tpfctl audit show --reason rehearsal --limit 1000 | grep 'configuration by tpfd' | grep -q 'changed=disk.reserve_bytes'"
  cp /etc/tpf/tpf.toml $play/good.toml
  echo 'nonsense = 1' >>/etc/tpf/tpf.toml
  check "a bad one makes systemctl fail" bash -c '! systemctl reload tpfd && ! systemctl reload tpf-forward'
  check "and the journal says where it is wrong" soon 10 bash -c "journalctl -q -u tpfd | grep -q 'tpf.toml.*nonsense'"
  check "both go on as before" bash -c "systemctl is-active tpfd tpf-forward && tpfctl --socket /run/tpf/core.sock status --json | grep -q '\"reserve_bytes\":17825792'"
  cp $play/good.toml /etc/tpf/tpf.toml
}

# What does not move any more is ended by the watchdog, and started again, within twice its interval.
hang() {
  local service pid
  for service in tpfd tpf-forward; do
    mkdir -p /run/systemd/system/$service.service.d
    printf '[Service]\nWatchdogSec=10\nTimeoutAbortSec=2\n' >/run/systemd/system/$service.service.d/hang.conf
  done
  systemctl daemon-reload
  systemctl restart tpfd tpf-forward
  for service in tpfd tpf-forward; do
    pid=$(property $service MainPID)
    kill -STOP "$pid"
    check "$service hangs: ended and started again" soon 20 bash -c "p=\$(systemctl show -P MainPID $service); [ \$p != 0 ] && [ \$p != $pid ] && systemctl is-active $service"
  done
  rm -r /run/systemd/system/tpfd.service.d /run/systemd/system/tpf-forward.service.d
  systemctl daemon-reload
  systemctl restart tpfd tpf-forward
}

# The newer package over the running one, with a message that waits.
upgrade() {
  local before; before=$(property tpfd MainPID)
  check "a newer package takes its place" dpkg --install "$project/newer.deb"
  check "the operator's configuration stays" grep -q systemd-test /etc/tpf/tpf.toml
  check "core and forwarder run anew" soon 30 bash -c "systemctl is-active tpfd tpf-forward && [ \$(systemctl show -P MainPID tpfd) != $before ] && answers"
}

# Removed, purged, and installed again: nothing that matters is gone.
remove() {
  local keys; keys=$(cd /var/lib/tpf/keyring && find . -type f | sort | xargs sha256sum)
  ctl queue list --json >$play/messages
  check "the package is removed" dpkg --remove tpf
  check "and nothing of it runs" sh -c '! pgrep -x tpfd && ! pgrep -x tpf-forward'
  check "purged" dpkg --purge tpf
  check "the keys are as they were" [ "$(cd /var/lib/tpf/keyring && find . -type f | sort | xargs sha256sum)" = "$keys" ]
  check "so are passphrase, TLS key and the quarantined message" sh -c "[ -s /etc/tpf/credentials/keyring-passphrase ] && [ -s /etc/tpf/tls/iplos-client.key ] && [ -s /var/lib/tpf/spool/quarantine/$(cat $play/bad)/innsending.xml ]"
  check "installed again" dpkg --install "$project/tpf.deb"
  write_configuration
  name_token
  systemctl start tpf.target
  check "it goes on with the same messages" soon 60 sh -c "tpfctl queue list --json | cmp - $play/messages"
}

configure() {
  playground_certificates
  for part in ca:ca.pem client:forward.pem client:forward.key; do cp "$play/tls/${part#*:}" "$play/iplos-${part%%:*}.${part##*.}"; done
  check "certificates are put where they belong" guide certificates
  write_configuration
  check "the passphrase becomes a credential" guide passphrase
}

write_configuration() {
  # Where not even root can raise the limit, the unit's LimitMEMLOCK= has no effect.
  local lock=require
  (ulimit -l unlimited) 2>/dev/null || lock=try
  cat >/etc/tpf/tpf.toml <<TOML
[installation]
name = "systemd-test"
kind = "test"
[control]
operators_group = "tpf-operator"
[memory]
lock = "$lock"
[disk]
reserve_bytes = "16 MiB"
[forward]
backoff_first_seconds = 1
backoff_max_seconds = 2
[register.IPLOS]
url = "https://localhost:8443"
ca_file = "/etc/tpf/tls/iplos-ca.pem"
client_certificate = "/etc/tpf/tls/iplos-client.pem"
client_key = "/etc/tpf/tls/iplos-client.key"
TOML
}

make_keys() {
  tpf-register keys --register IPLOS --id IPLOS-2026 --out $play/register-keys >/dev/null
  cp $play/register-keys/*.public.pem $play/
  guide keys
}

start_register() {
  systemd-run -q --unit=register tpf-register serve --listen 127.0.0.1:8443 --register IPLOS --store $play/store --test-installation \
    --certificate $play/tls/register.pem --key $play/tls/register.key --client-ca $play/tls/ca.pem \
    --tpf-key $play/tpf-signing.pem --receipt-key $play/register-keys/IPLOS-2026-receipt.private.pem
}

# submit: a new message; its spool id.
submit() {
  tpf-generate --persons 5 --out $play/export.xml >/dev/null 2>&1
  rm -f $play/submission.xml
  tpf-krypt --iplos $play/export.xml --nokler $play/nokler.xml --epost a@b.example --navn 'Kari Nordmann' --mobil 99887766 \
    --ut $play/submission.xml >/dev/null 2>&1
  ctl submit $play/submission.xml --sender 0301-00-974761076 --reason test --json | grep -oE '[0-9a-f-]{36}' | head -n 1
}

# sandbox SERVICE OWN OTHER: the probe in a copy of the unit; OWN is a folder that it may write, OTHER one that it may not see.
sandbox() {
  sed -e "s#^ExecStart=.*#ExecStart=/usr/bin/tpf-probe $2 $3#" -e 's/^Type=.*/Type=oneshot/' \
    -e '/^\(WatchdogSec\|Restart\|RestartSec\|NotifyAccess\|RestartPreventExitStatus\)=/d' \
    -e 's#^ExecPaths=#ExecPaths=/usr/bin/tpf-probe #' "/usr/lib/systemd/system/$1.service" >"/run/systemd/system/probe-$1.service"
  systemctl daemon-reload
  systemctl start "probe-$1"
  journalctl --sync
  journalctl -q -o cat -t tpf-probe -u "probe-$1" >/tmp/probe.log
  cat /tmp/probe.log
}
# Nothing but what is named went through.
went_through() { [ "$(grep -c ^denied /tmp/probe.log)" -ge 10 ] && [ "$(grep ^ALLOWED /tmp/probe.log | sort | tr '\n' ';')" = "$1" ]; }

first() {
  unpack
  configure
  check "both programs take the configuration" guide check
  check "the core starts, and is ready" systemctl start tpfd
  check "keys are made" make_keys
  start_register
  check "the target starts all" guide start
  check "core and forwarder run" sh -c 'systemctl is-active tpfd tpf-forward'
  tpf-generate --persons 5 --out $play/eksport.xml >/dev/null 2>&1
  check "the first message, by the guide" guide first
  id=$(submit)
  check "a message is delivered" soon 30 outcome "$id" delivered
  check "and its receipt is there" test -s /var/lib/tpf/spool/kvittering/operator/"$id".json
  check "what the guide asks about its health is answered" guide health
  check "the metrics are where the guide links them" soon 30 guide metrics
  check "the journal has one message's way, by fields" soon 10 stages "$id" answer claim commit deliver send
  reload

  pid=$(property tpfd MainPID)
  check "the core does not see a network" sh -c "! nsenter -t $pid -n ip -o link 2>/dev/null | grep -v lo: | grep -q ."

  sandbox tpfd /var/lib/tpf/spool/work /etc/tpf/tls/iplos-client.key >/dev/null
  check "the core's sandbox denies what it should" went_through "ALLOWED write where it works;"
  sandbox tpf-forward /var/lib/tpf/spool/receipts /var/lib/tpf/journal >/dev/null
  check "so does the forwarder's; it has the network" went_through "ALLOWED open a network socket;ALLOWED write where it works;"
  check "the units are without a warning" sh -c '[ -z "$(systemd-analyze verify --man=no tpf.target tpfd.service tpf-forward.service 2>&1)" ]'

  hang

  pid=$(property tpfd MainPID)
  kill -KILL "$pid"
  check "killed, it is back" soon 30 bash -c "systemctl is-active tpfd && [ \$(systemctl show -P MainPID tpfd) != $pid ] && answers"
  id=$(submit)
  check "and delivers" soon 30 outcome "$id" delivered

  # A message in each state that outlives a reboot: in the outbox, as the register is away, and in quarantine.
  systemctl stop register
  submit >$play/waiting
  check "a message waits for its register" soon 30 outcome "$(cat $play/waiting)" committed
  head -c 5000 $play/submission.xml >$play/cut.xml
  ctl submit $play/cut.xml --sender 0301-00-974761076 --reason test --json | grep -oE '[0-9a-f-]{36}' | head -n 1 >$play/bad
  check "a broken one is quarantined" soon 30 outcome "$(cat $play/bad)" quarantined
  upgrade
  systemctl enable -q tpf.target
}

name_token() {
  printf '[pkcs11]\nuri = "pkcs11:token=tpf?module-path=/usr/lib/%s-linux-gnu/pkcs11/p11-kit-client.so"\n' "$(uname -m)" >>/etc/tpf/tpf.toml
}
# SoftHSM stands for a network HSM's module, which the core reaches as docs/key-management.md says.
token() {
  useradd --system --no-create-home --shell /usr/sbin/nologin tpf-hsm 2>/dev/null || true
  rm -rf /var/lib/tpf-hsm; install -d -o tpf-hsm -m 0700 /var/lib/tpf-hsm /var/lib/tpf-hsm/tokens
  echo "directories.tokendir = /var/lib/tpf-hsm/tokens" >/etc/tpf-hsm.conf
  check "a token is made" setpriv --reuid tpf-hsm --clear-groups --regid tpf-hsm env SOFTHSM2_CONF=/etc/tpf-hsm.conf \
    softhsm2-util --init-token --free --label tpf --pin 482910 --so-pin 975310
  printf 482910 >$play/pin
  sed -i 's#^ExecStart=.*#&\nEnvironment=SOFTHSM2_CONF=/etc/tpf-hsm.conf#; s#/usr/lib/VENDOR.so#/usr/lib/softhsm/libsofthsm2.so#' "$project/key-management.md"
  check "the HSM's server, and the core's way to it" guide token key-management.md
  name_token
  check "the core starts with the token" systemctl restart tpfd
  check "and sees it" soon 30 sh -c 'tpfctl status --json | grep -q "\"token\":{\"state\":\"there\""'
  check "a message key is made in it" guide token-key key-management.md
  check "keys and token are good" tpfctl keys check
  check "the old one is published no longer" tpfctl keys accept TPF-2026 --reason "the key in the HSM takes its place"
  tpfctl keys publish --out $play/nokler.xml >/dev/null
  local id; id=$(submit)
  check "what was sealed for it is delivered" soon 60 outcome "$id" delivered
  check "with that key" grep -q 'TPF-HSM' $play/submission.xml
}

second() {
  check "after the reboot all is up" soon 60 bash -c 'systemctl is-active tpfd tpf-forward && answers'
  check "the quarantined message is where it was" outcome "$(cat $play/bad)" quarantined
  start_register
  check "the waiting message is delivered" soon 60 outcome "$(cat $play/waiting)" delivered
  token
  remove
  check "a backup is taken, and verified" guide backup
  check "the target stops all" guide stop
  check "nothing failed" sh -c 'systemctl show -P Result tpfd | grep -qx success && systemctl show -P Result tpf-forward | grep -qx success'
}

export -f answers ctl
"$part"
echo "$part: $checks checks"
