# podman, serving the Docker API, in its own namespaces; the socket is a file that all users can reach.
cat > "$BED/containers.conf" <<T
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
oom_score_adj = 0
netns = "none"
[engine]
runtime = "nores"
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "localhost/bb:1"
[engine.runtimes]
nores = ["$CACHE/runc-nores"]
[network]
network_backend = "cni"
T
cat > "$BED/storage.conf" <<T
[storage]
driver = "overlay"
graphroot = "$BED/data"
runroot = "$BED/run"
T
inside "$BED/podman-inside.sh"
inside_ready 60
stay
