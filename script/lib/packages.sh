# Debian 12 packages, and how they are installed. Sourced by the scripts. What each is for: docs/dependencies.md.

build_packages=(g++ cmake ninja-build ccache pkg-config
  libboost-dev libbotan-2-dev libssl-dev librapidxml-dev libsqlite3-dev libspdlog-dev libfmt-dev doctest-dev libtomlplusplus-dev
  libcli11-dev nlohmann-json3-dev libsystemd-dev libp11-kit-dev libexpat1-dev)
clang_packages=(clang llvm libclang-rt-14-dev)
demo_packages=(openssl)
test_packages=("${clang_packages[@]}" "${demo_packages[@]}" clang-format clang-tidy groff-base softhsm2 p11-kit p11-kit-modules python3 python3-cryptography xmlsec1 strace procps time
  user-mode-linux e2fsprogs xfsprogs debootstrap systemd systemd-container prometheus python3-prometheus-client)
package_packages=(debhelper dpkg-dev lintian python3)
bench_packages=(hyperfine time xmlsec1 openssl python3 coreutils)

# Installs what is missing: as root, or through sudo; else says which command would.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local run=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "error: packages are missing, and this is neither root nor is there sudo" >&2
      echo "hint: as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    run=(sudo)
  fi
  echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log; log=$(mktemp)
  if ! { "${run[@]}" apt-get update -qq && "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2; rm -f "$log"
    echo "hint: as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}
