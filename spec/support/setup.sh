#!/usr/bin/env bash
# setup.sh [GROUP...]: installs what is missing of .ci/packages, all groups
# unless some are named (build, test, nginx, install, lint, bench, doc, cross). Says
# nothing and needs no root when nothing is missing.
set -eu
cd "$(dirname "$0")/../.."

# wanted GROUP...: the packages of these groups, of all without an argument
wanted() {
  local groups
  groups=$(IFS='|'; echo "$*")
  sed -nE "s/^([a-z0-9][a-z0-9.+-]*) +# ([a-z]+, )*(${groups:-[a-z]+})(, [a-z]+)*: .*/\1/p" \
    .ci/packages
}

# missing PACKAGE...: those that are not installed
missing() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" \
    2>/dev/null | sed -n 's/ installed$//p') || true
  printf '%s\n' "$@" | grep -vxF "$installed" || true
}

list=$(wanted "$@")
if [ -z "$list" ]; then
  echo "setup: no package in .ci/packages for: $*" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian system; needed are: ${list//$'\n'/ }" >&2
  exit 0
fi
mapfile -t packages < <(missing $list)
[ ${#packages[@]} -gt 0 ] || exit 0
install=(apt-get install -y --no-install-recommends --no-remove)
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: packages are missing; as root, run:" >&2
  echo "  ${install[*]} ${packages[*]}" >&2
  echo "setup: or run make with SETUP=true and what you have" >&2
  exit 1
fi
echo "setup: installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
# Of nginx and redis the programs are wanted: Debian's services are not to start.
readonly policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi
apt-get update -qq
"${install[@]}" -qq "${packages[@]}"
