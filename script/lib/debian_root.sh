# A minimal Debian 12 in a folder, from the mirror that this machine uses. Sourced by the scripts; needs root and debootstrap.

# make_debian_root FOLDER [PACKAGE,…]: whole, or not there. No service starts while packages are installed in it.
make_debian_root() {
  local root=$1 mirror
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list | head -n 1)
  rm -rf "$root" "$root.new"
  debootstrap --variant=minbase ${2:+"--include=$2"} bookworm "$root.new" "$mirror"
  printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"; chmod +x "$root.new/usr/sbin/policy-rc.d"
  # Where this machine has its sources in that folder, they are not to be there twice.
  [ -z "$(ls /etc/apt/sources.list.d)" ] || rm -f "$root.new/etc/apt/sources.list"
  cp -r /etc/apt/apt.conf.d /etc/apt/sources.list.d "$root.new/etc/apt/"
  cp /etc/resolv.conf "$root.new/etc/resolv.conf"
  mv "$root.new" "$root"
}
