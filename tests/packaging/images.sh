#!/usr/bin/env bash
# The images: the Dockerfile is linted; its last stages are built by buildah from the programs in
# GOLDENTIME_BIN_DIR (target/debug unless set) over a stand-in for their base, made of the same Debian packages
# and without a shell; then central and agent run from what was built, each as the image's user, with a
# read-only root and in a network of their own, until the agent's requests are counted. For root; a minute.
#
# Not seen here: the first stages, which want images of a registry, and a container runtime's own seccomp and
# cgroups.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/target/tools
bin=${GOLDENTIME_BIN_DIR:-$PWD/target/debug}
[ -x "$bin/goldentime-central" ] || { echo "there are no programs in $bin: build them, or set GOLDENTIME_BIN_DIR" >&2; exit 2; }

step() { echo "images: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

step "hadolint has nothing to say of the Dockerfile"
"$tools/packaging/bin/hadolint" packaging/container/Dockerfile

[ "$(id -u)" = 0 ] || { echo "images: the rest is for root and is left out" >&2; exit 0; }

work=$(mktemp -d)
chmod 711 "$work"
images() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }
# shellcheck disable=SC2329
clean_up() {
  images umount --all > /dev/null 2>&1 || :
  rm -rf "$work"
}
trap clean_up EXIT

step "a base of the packages that the real one is made of"
mkdir -p "$work/debs" "$work/base/etc/ssl/certs" "$work/base/home/nonroot"
(cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download \
  base-files netbase tzdata ca-certificates libc6 libgcc-s1 libstdc++6 libssl3)
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/base"; done
cat "$work"/base/usr/share/ca-certificates/mozilla/*.crt > "$work/base/etc/ssl/certs/ca-certificates.crt"
printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin > "$work/base/etc/passwd"
printf '%s\n' root:x:0: nonroot:x:65532: > "$work/base/etc/group"
base=$(images from scratch)
images add -q "$base" "$work/base" / > /dev/null
images commit -q "$base" "$(sed -n 's/^FROM \(gcr[^ ]*\) AS central$/\1/p' packaging/container/Dockerfile)" > /dev/null

step "the last stages are built, for programs from $bin"
mkdir -p "$work/build/parts/etc/central/slo" "$work/build/parts/etc/agent/agent.d"
for name in central agent; do
  install -D -m 755 "$bin/goldentime-$name" "$work/build/parts/bin/goldentime-$name"
  strip --strip-unneeded "$work/build/parts/bin/goldentime-$name"
  mkdir -p "$work/build/parts/state/$name"
  install -d -m 700 "$work/build/parts/state/$name/goldentime-$name"
  images build -q --pull-never --format docker --isolation chroot --build-context "build=$work/build" \
    --target "$name" --build-arg REVISION=test -f packaging/container/Dockerfile -t "goldentime-$name:test" . > /dev/null
  images inspect --type image "localhost/goldentime-$name:test" > "$work/$name.json"
  root=$(images mount "$(images from --pull-never "localhost/goldentime-$name:test")")
  # Mounts go over it; the image itself stays as it is.
  cp -a "$root" "$work/$name"
  chmod 755 "$work/$name"
done
images images --format '{{.Name}} {{.Size}}' | sed -n 's|^localhost/|  |p'

# What a JSON file says at a path.
told() { node -p "JSON.stringify(($2)(JSON.parse(require('fs').readFileSync('$1', 'utf8'))))"; }

step "the images say who runs, what is written, where they listen and how they are asked for their health"
for name in central agent; do
  [ "$(told "$work/$name.json" 'c => c.Docker.config.User')" = '"65532:65532"' ] || fail "$name: its user"
  [ "$(told "$work/$name.json" 'c => Object.keys(c.Docker.config.Volumes)')" = "[\"/var/lib/goldentime-$name\"]" ] || fail "$name: volumes"
  [ "$(told "$work/$name.json" 'c => c.Docker.config.Labels["org.opencontainers.image.revision"]')" = '"test"' ] || fail "$name: labels"
  [ "$(stat -c '%u:%g %a' "$work/$name/var/lib/goldentime-$name")" = '65532:65532 700' ] || fail "$name: its state folder"
  [ "$(stat -c '%u:%g %a' "$work/$name/usr/bin/goldentime-$name")" = '0:0 755' ] || fail "$name: its program"
  [ -z "$(find "$work/$name" -xdev -type f \( -name sh -o -name bash -o -name dash -o -name busybox \))" ] || fail "$name: a shell"
  [ -z "$(find "$work/$name" -xdev -type f -perm /6000)" ] || fail "$name: a file that gives rights"
  # Libraries are there, as the loader of the image sees them.
  ! LD_TRACE_LOADED_OBJECTS=1 chroot "$work/$name" "/lib64/ld-linux-x86-64.so.2" --list "/usr/bin/goldentime-$name" \
    | grep 'not found' || fail "$name: a library is missing"
done
[ "$(told "$work/agent.json" 'c => c.Docker.config.Healthcheck.Test')" = '["CMD","/usr/bin/goldentime-agent","status"]' ] || fail "agent: health check"

step "central and agent run from them as they are meant to"
export -f fail
unshare --net --mount --pid --fork --kill-child --mount-proc \
  bash -euo pipefail tests/packaging/images-run.sh "$work" || { tail -n 30 "$work"/*.log >&2; fail "see above"; }
echo "images: all well"
