start_containerd() {
    over "$BED/containerd/root" /var/lib/containerd
    over "$BED/containerd/run" /run/containerd
    over "$BED/containerd/cni" /var/lib/cni
    over "$BED/containerd/netns" /run/netns
    mkdir -p "$BED/cni"
    echo '{"cniVersion":"0.4.0","name":"bednet","plugins":[{"type":"bridge","bridge":"bedbr0","isGateway":true,"ipMasq":false,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.77.0.0/16"}]]}}]}' > "$BED/cni/10-bed.conflist"
    cat > "$BED/containerd.toml" <<T
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/bb:1"
  disable_tcp_service = true
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "$BED/cni"
    bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$CACHE/runc-nores"
        SystemdCgroup = false
T
    spawn containerd containerd -c "$BED/containerd.toml"
    wait_for 30 containerd ctr version
    for namespace in default k8s.io; do ctr -n $namespace images import "$CACHE/busybox.tar" || die "containerd refused the busybox image"; done
}
