# A whole TPF in one folder, for script/demo and script/bench: certificates, configuration, keys, register, core and
# forwarder as real processes on loopback. Sourced. Needs: bin (folder of the programs), play (an empty folder of ours).

playground_pids=()
# Stops what was started, by its own pid, the last one first.
playground_stop() {
  local pid i
  for ((i = ${#playground_pids[@]} - 1; i >= 0; i--)); do kill "${playground_pids[i]}" 2>/dev/null || true; done
  for pid in "${playground_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  playground_pids=()
}

# certificate NAME SUBJECT EXTENSIONS: a key and a certificate of the playground's own authority.
certificate() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$play/tls/$1.key"
  openssl req -new -key "$play/tls/$1.key" -subj "/CN=$2" -out "$play/tls/$1.csr"
  openssl x509 -req -in "$play/tls/$1.csr" -CA "$play/tls/ca.pem" -CAkey "$play/tls/ca.key" -CAcreateserial -days 400 \
    -extfile <(printf '%s\n' "$3") -out "$play/tls/$1.pem" 2>/dev/null
  chmod 600 "$play/tls/$1.key"
}

playground_certificates() {
  mkdir -p "$play/tls"
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$play/tls/ca.key"
  openssl req -x509 -new -key "$play/tls/ca.key" -subj "/CN=playground authority" -days 400 -out "$play/tls/ca.pem" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
  certificate register localhost "subjectAltName=DNS:localhost,IP:127.0.0.1
extendedKeyUsage=serverAuth"
  certificate forward tpf-forward "extendedKeyUsage=clientAuth"
}

# playground_config [PORT]: one configuration for core, forwarder and tpfctl. The register's port may come later: see
# playground_register.
playground_config() {
  cat >"$play/tpf.toml" <<TOML
[installation]
name = "playground"
kind = "test"
[paths]
spool = "$play/spool"
journal = "$play/journal/journal.db"
keyring = "$play/keyring"
socket = "$play/core.sock"
[control]
operators_group = ""
[memory]
lock = "try"
[disk]
reserve_bytes = "64 MiB"
[forward]
backoff_first_seconds = 1
backoff_max_seconds = 5
[register.IPLOS]
url = "https://localhost:${1:-1}"
ca_file = "$play/tls/ca.pem"
client_certificate = "$play/tls/forward.pem"
client_key = "$play/tls/forward.key"
TOML
}

# playground_drop NAME SENDER [SETTLE]: a drop folder, $play/drop/NAME; before the core is started.
playground_drop() {
  mkdir -p "$play/drop/$1"
  cat >>"$play/tpf.toml" <<TOML
[source.$1]
kind = "drop"
path = "$play/drop/$1"
sender = "$2"
settle_seconds = ${3:-1}
TOML
}

# wait_for SECONDS COMMAND…: until the command succeeds. A process of ours that has ended ends the waiting.
wait_for() {
  local tries=$(($1 * 20)) pid; shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || { echo "error: waited in vain for: $*" >&2; return 1; }
    for pid in "${playground_pids[@]}"; do
      kill -0 "$pid" 2>/dev/null || { echo "error: process $pid has ended; see the logs in $play" >&2; tail -qn 2 "$play"/*.log >&2; return 1; }
    done
    sleep 0.05
  done
}

playground_core() {
  mkdir -p "$play/credentials" "$play/keyring" "$play/spool"; chmod 700 "$play/credentials" "$play/keyring"
  [ -f "$play/credentials/keyring-passphrase" ] || (umask 077; openssl rand -base64 24 >"$play/credentials/keyring-passphrase")
  CREDENTIALS_DIRECTORY="$play/credentials" "$bin/tpfd" --config "$play/tpf.toml" 2>>"$play/tpfd.log" &
  playground_pids+=($!); core_pid=$!
  # Not `status`, whose exit status says whether all is well: there are no keys yet and no forwarder.
  wait_for 20 "$bin/tpfctl" --config "$play/tpf.toml" queue list
}

ctl() { "$bin/tpfctl" --config "$play/tpf.toml" "$@"; }

# Every key that is needed, made or taken in through the core's socket; the senders' key file in $play/nokler.xml.
playground_keys() {
  "$bin/tpf-register" keys --register IPLOS --id IPLOS-2026 --out "$play/register-keys" >/dev/null
  ctl keys generate --reason playground --kind message --id TPF-2026 >/dev/null
  ctl keys generate --reason playground --kind pseudonym --id PSEUDONYM-IPLOS-1 --register IPLOS --version 1 >/dev/null
  ctl keys generate --reason playground --kind signing --id SIGN-2026 >/dev/null
  ctl keys import --reason playground --kind register --id IPLOS-2026 --register IPLOS "$play/register-keys/IPLOS-2026.public.pem" >/dev/null
  ctl keys import --reason playground --kind receipt --id IPLOS-RECEIPT-2026 --register IPLOS "$play/register-keys/IPLOS-2026-receipt.public.pem" >/dev/null
  ctl keys publish --out "$play/nokler.xml" >/dev/null
  ctl keys signing --out "$play/tpf-signing.pem" >/dev/null
}

# playground_register [PORT]: any free port where none is given; it is written into the configuration.
playground_register() {
  rm -f "$play/port"
  "$bin/tpf-register" serve --listen "127.0.0.1:${1:-0}" --register IPLOS --store "$play/store" --test-installation \
    --certificate "$play/tls/register.pem" --key "$play/tls/register.key" --client-ca "$play/tls/ca.pem" \
    --tpf-key "$play/tpf-signing.pem" --receipt-key "$play/register-keys/IPLOS-2026-receipt.private.pem" \
    --port-file "$play/port" 2>>"$play/register.log" &
  playground_pids+=($!)
  wait_for 20 test -s "$play/port"
  sed -i "s|^url = \"https://localhost:[0-9]*\"|url = \"https://localhost:$(cat "$play/port")\"|" "$play/tpf.toml"
}

playground_forward() {
  "$bin/tpf-forward" --config "$play/tpf.toml" "$@" 2>>"$play/forward.log" &
  playground_pids+=($!); forward_pid=$!
}
