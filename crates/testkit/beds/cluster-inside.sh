. "$BED/inside.sh"
. "$BED/kube-lib.sh"
. "$BED/containerd-lib.sh"

# The node's address and a default route, without which the kubelet does not find its node's address.
ip link add node0 type veth peer name node1 && ip addr add 10.88.1.1/24 dev node0 && ip link set node0 up && ip link set node1 up
ip route add default via 10.88.1.2 dev node0
# The kubelet requires these values. It sees files with them; the machine itself is not changed.
mkdir -p "$BED/sysctl"
while read -r name value; do
    echo "$value" > "$BED/sysctl/${name//\//.}"; mount --bind "$BED/sysctl/${name//\//.}" "/proc/sys/$name"
done <<S
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
S
over "$BED/kubelet/root" /var/lib/kubelet
over "$BED/kubelet/pods" /var/log/pods
over "$BED/kubelet/containers" /var/log/containers

kubeconfig 6443 admin > "$BED/admin.conf"
start_etcd 2379 2380
start_apiserver 6443 2379
start_controllers 6443 10257 10259 '*,-nodeipam,-route,-service,-cloud-node-lifecycle'
start_containerd
mkdir -p "$BED/manifests"
cat > "$BED/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
healthzBindAddress: 127.0.0.1
readOnlyPort: 0
cgroupDriver: cgroupfs
staticPodPath: $BED/manifests
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
failSwapOn: false
oomScoreAdj: 0
resolvConf: ""
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "$PKI/ca.crt"}}
authorization: {mode: Webhook}
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 10Mi}
Y
kubeconfig 6443 admin > "$BED/kubelet.conf"
spawn kubelet "$K8S/kubelet" --config="$BED/kubelet.yaml" --kubeconfig="$BED/kubelet.conf" --root-dir=/var/lib/kubelet --cert-dir=/var/lib/kubelet/pki \
    --container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock --hostname-override=localhost --register-node=true
export KUBECONFIG=$BED/admin.conf
wait_for 60 controllers has_accounts
make_users 6443
for file in "$BED"/workloads/*.yaml; do
    # A custom resource may be in the same file as its definition; at the second attempt, the definition is established.
    kubectl apply -f "$file" || { sleep 2; kubectl apply -f "$file"; } || die "the cluster refused $(basename "$file")"
done
node_ready() { kubectl get node localhost -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }
wait_for 120 kubelet node_ready
stay
