. "$BED/inside.sh"
. "$BED/containerd-lib.sh"
start_containerd
stay
