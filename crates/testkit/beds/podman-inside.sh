. "$BED/inside.sh"
export CONTAINERS_CONF=$BED/containers.conf CONTAINERS_STORAGE_CONF=$BED/storage.conf
over "$BED/run-containers" /run/containers
over "$BED/run-libpod" /run/libpod
over "$BED/netns" /run/netns
podman load -i "$CACHE/busybox.tar" || die "podman refused the busybox image"
spawn podman podman --tmpdir "$BED/tmp" system service --time=0 "unix://$BED/podman.sock"
wait_for 30 podman curl -sf --unix-socket "$BED/podman.sock" http://d/_ping
stay
