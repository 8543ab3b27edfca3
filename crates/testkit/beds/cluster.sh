# A complete cluster: etcd, API server, controller-manager, scheduler, containerd and a kubelet that runs real pods.
inside "$BED/cluster-inside.sh"
inside_ready 240
stay
