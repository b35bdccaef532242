# Debian 12 packages, and how they are installed. Sourced by the scripts. What each is for: docs/dependencies.md.

build_packages=(g++ cmake ninja-build ccache pkg-config
  libboost-dev libbotan-2-dev libssl-dev librapidxml-dev libsqlite3-dev libspdlog-dev libfmt-dev doctest-dev libtomlplusplus-dev
  libcli11-dev nlohmann-json3-dev libsystemd-dev libp11-kit-dev libexpat1-dev)
clang_packages=(clang llvm libclang-rt-14-dev)
demo_packages=(openssl)
test_packages=("${clang_packages[@]}" "${demo_packages[@]}" clang-format clang-tidy groff-base softhsm2 p11-kit p11-kit-modules python3 python3-cryptography xmlsec1 strace procps time
  user-mode-linux e2fsprogs xfsprogs debootstrap systemd systemd-container python3-prometheus-client)
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

# tool_from PACKAGE PROGRAM FOLDER: that program alone into FOLDER, unless there is one: installed, the package would start a server.
tool_from() {
  local package=$1 program=$2 folder=$3 unpacked
  ! command -v "$program" >/dev/null && [ ! -x "$folder/$program" ] || return 0
  unpacked=$(mktemp -d)
  if (cd "$unpacked" && apt-get download -qq "$package" && dpkg-deb -x "$package"_*.deb .) >"$unpacked/log" 2>&1; then
    install -D "$unpacked/usr/bin/$program" "$folder/$program"
  else
    cat "$unpacked/log" >&2
    echo "hint: apt-get update as root; without $program its tests say SKIPPED" >&2
  fi
  rm -rf "$unpacked"
}
