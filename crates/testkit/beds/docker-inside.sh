. "$BED/inside.sh"
over "$BED/run-containerd" /run/containerd
over "$BED/run-docker" /run/docker
spawn dockerd dockerd --host "unix://$BED/docker.sock" --data-root "$BED/data" --exec-root "$BED/exec" --pidfile "$BED/dockerd.pid" \
    --add-runtime "nores=$CACHE/runc-nores" --default-runtime nores --exec-opt native.cgroupdriver=cgroupfs --default-ulimit nofile=4096:4096 \
    --storage-driver overlay2 --bridge=none --iptables=false --ip6tables=false --ip-masq=false
export DOCKER_HOST=unix://$BED/docker.sock
wait_for 30 dockerd docker version
docker load -i "$CACHE/busybox.tar" || die "dockerd refused the busybox image"
stay
