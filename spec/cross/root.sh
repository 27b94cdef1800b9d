#!/usr/bin/env bash
# root.sh ARCHITECTURE DIRECTORY PACKAGE...: unpacks Debian's packages of another
# architecture, and what they depend on, into the directory. apt works on lists of
# its own there: nothing is installed, the system's architectures stay as they are.
set -eu
arch=$1
root=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
apt=$root/apt
if [ "$(cat "$apt/done" 2>/dev/null)" = "$*" ]; then exit 0; fi

mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
cat >"$apt/conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
END
export APT_CONFIG=$apt/conf
# A list that cannot be had matters only if a package is in no other.
apt-get update -qq || echo "root: not all lists of $arch could be had" >&2
apt-get install -qq -y --no-install-recommends --download-only "$@" >/dev/null
for package in "$apt"/archives/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$apt/archives" "$apt/lists"
echo "$*" >"$apt/done"
