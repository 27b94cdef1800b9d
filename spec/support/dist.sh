#!/usr/bin/env bash
# dist.sh FILE.tar.gz: packs the files that git knows, as they are here, into a
# directory of that name. It lists them in MANIFEST, by which a tree that was
# unpacked is packed again without git. Of the same files comes the same tarball.
set -eu
tarball=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
name=$(basename "$tarball" .tar.gz)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
readonly manifest=$stage/$name/MANIFEST

# Root may make it of what another user has cloned.
own_git() {
  git -c safe.directory="$PWD" "$@"
}

# Git, if there is any, may be of a project that this tree is a part of.
if [ -e MANIFEST ]; then
  files=$(cat MANIFEST)
  time=$(stat -c %Y MANIFEST)
else
  files=$(own_git ls-files && echo MANIFEST)
  time=$(own_git log -1 --format=%ct)
fi

mkdir -p "$stage/$name" "${tarball%/*}"
grep -vx MANIFEST <<<"$files" | xargs -d '\n' cp -P --parents -t "$stage/$name"
LC_ALL=C sort <<<"$files" >"$manifest"
LC_ALL=C tar -C "$stage" --format=gnu --sort=name --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX --mtime="@${SOURCE_DATE_EPOCH:-$time}" -cf - "$name" |
  gzip -9n >"$tarball"
echo "$tarball"
