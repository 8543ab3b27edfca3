# capture.sh WORK INDAGO OUT: captures the demo estate that seed.sh created in WORK with INDAGO, to Parquet in OUT.
set -euo pipefail
WORK=$(realpath "$1"); INDAGO=$(realpath "$2"); mkdir -p "$3"; OUT=$(realpath "$3")
say() { printf 'demo-estate: %s\n' "$*" >&2; }
# inside PROGRAM ...: runs a program within the node's namespaces
inside() { nsenter -t "$INDAGO_CLUSTER_PID" -n -m -C "$@"; }

say 'capture'
raw=$WORK/raw
rm -rf "$raw" "$OUT"/*.parquet && mkdir -p "$raw"
# The program contains the estate as Parquet files. Such a capture refuses a directory that has tables, and the estate
# consists of three captures.
add() { mv "$raw-$1"/*.parquet "$raw/" && rmdir "$raw-$1"; }
cd /
inside env -u CONTAINERD_ADDRESS INDAGO_CONFIG="$WORK/inside.toml" "$INDAGO" capture --parquet --strict --out "$raw-cluster" \
    kubernetes_namespaces kubernetes_nodes kubernetes_pods kubernetes_pod_containers kubernetes_service_accounts kubernetes_deployments \
    kubernetes_role_policy_rules kubernetes_cluster_role_policy_rules kubernetes_role_binding_subjects kubernetes_cluster_role_binding_subjects kubernetes_api_resources
inside env -u CONTAINERD_ADDRESS INDAGO_CONFIG="$WORK/inside.toml" "$INDAGO" capture --parquet --out "$raw-host" \
    processes users groups os_version process_namespaces process_open_sockets process_envs listening_ports container_processes containers uptime time
"$WORK/live" "$INDAGO" capture --parquet --strict --out "$raw-cloud" \
    aws_account aws_sts_caller_identity aws_iam_user aws_iam_role aws_iam_policy_attachment aws_iam_instance_profile \
    aws_ec2_instance aws_vpc_security_group aws_vpc_security_group_rule \
    git_repositories git_commits git_commit_files git_refs git_remotes
for part in cluster host cloud; do add $part; done

# AWS has thousands of its own policies; each would cost a call for its document.
"$WORK/live" "$INDAGO" query --strict --parquet "$OUT/aws_iam_policy.parquet" 'SELECT * FROM aws_iam_policy WHERE is_attached' > /dev/null

say 'filter'
# keep TABLE CONDITION: keeps only the estate's rows
keep() { "$INDAGO" query --store "$raw" --parquet "$OUT/$1.parquet" "SELECT * FROM $1 WHERE $2" > /dev/null; rm "$raw/$1.parquet"; }
theirs='SELECT pid FROM container_processes WHERE pod_uid IN (SELECT uid FROM kubernetes_pods)'
for table in process_namespaces process_open_sockets process_envs listening_ports; do keep $table "pid IN ($theirs)"; done
# The containers' processes, and the shims that are their parents.
keep processes "pid IN ($theirs) OR pid IN (SELECT parent FROM processes WHERE pid IN ($theirs))"
keep containers "pod_uid IN (SELECT uid FROM kubernetes_pods)"
keep container_processes "pod_uid IN (SELECT uid FROM kubernetes_pods)"
mv "$raw"/*.parquet "$OUT/"
# The result must not contain data of this machine.
for file in "$OUT"/*.parquet; do
    table=$(basename "$file" .parquet)
    if "$INDAGO" query --store "$OUT" --format ndjson "SELECT * FROM $table" | grep -q -e '/root/\.' -e '/work/' -e "$WORK"; then
        say "$table contains paths of this machine"; exit 1
    fi
done
say "$(du -sbh "$OUT" | cut -f1) in $OUT"
