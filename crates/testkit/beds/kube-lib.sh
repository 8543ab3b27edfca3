# Parts of the control plane, for the API server bed and the cluster bed. In: K8S (binaries), PKI, BED.
kubeconfig() { # PORT USER
    cat <<Y
apiVersion: v1
kind: Config
clusters: [{name: bed, cluster: {server: "https://127.0.0.1:$1", certificate-authority: "$PKI/ca.crt"}}]
users: [{name: "$2", user: {token: "$2-token"}}]
contexts: [{name: "$2@bed", context: {cluster: bed, user: "$2"}}]
current-context: "$2@bed"
Y
}
start_etcd() { # CLIENT_PORT PEER_PORT
    spawn etcd "$K8S/etcd" --name bed --data-dir "$BED/etcd" --listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
        --listen-peer-urls "http://127.0.0.1:$2" --initial-advertise-peer-urls "http://127.0.0.1:$2" --initial-cluster "bed=http://127.0.0.1:$2" \
        --unsafe-no-fsync --quota-backend-bytes 4294967296
}
start_apiserver() { # PORT ETCD_PORT [FLAGS...]
    local port=$1 etcd=$2; shift 2
    if [ "${AUDIT:-}" = 1 ]; then
        # Files of a megabyte, so that tests see rotated ones.
        set -- "$@" --audit-policy-file="$BED/audit-policy.yaml" --audit-log-path="$BED/audit/audit.log" --audit-log-maxsize=1 \
            --audit-log-maxbackup=50 --audit-log-compress
        mkdir -p "$BED/audit"
    fi
    spawn apiserver "$K8S/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$port" \
        --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --cert-dir="$BED/apiserver" --client-ca-file="$PKI/ca.crt" \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
        --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" --kubelet-preferred-address-types=Hostname \
        --token-auth-file="$PKI/tokens.csv" --authorization-mode=Node,RBAC --service-cluster-ip-range=10.0.0.0/24 --allow-privileged=true \
        --endpoint-reconciler-type=none --max-requests-inflight=2000 --max-mutating-requests-inflight=1000 "$@"
    wait_for 90 apiserver answers "$port"
}
answers() { [ "$(curl -s -m 5 --cacert "$PKI/ca.crt" -H 'Authorization: Bearer admin-token' "https://127.0.0.1:$1/readyz")" = ok ]; }
start_controllers() { # API_PORT CM_PORT SCHED_PORT CONTROLLERS
    kubeconfig "$1" system:kube-controller-manager > "$BED/controllers.conf"; kubeconfig "$1" system:kube-scheduler > "$BED/scheduler.conf"
    spawn controllers "$K8S/kube-controller-manager" --kubeconfig="$BED/controllers.conf" --authentication-kubeconfig="$BED/controllers.conf" \
        --authorization-kubeconfig="$BED/controllers.conf" --bind-address=127.0.0.1 --secure-port="$2" --cert-dir="$BED/controllers" --leader-elect=false \
        --use-service-account-credentials=true --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
        --controllers="$4" --kube-api-qps=500 --kube-api-burst=1000
    spawn scheduler "$K8S/kube-scheduler" --kubeconfig="$BED/scheduler.conf" --authentication-kubeconfig="$BED/scheduler.conf" \
        --authorization-kubeconfig="$BED/scheduler.conf" --bind-address=127.0.0.1 --secure-port="$3" --cert-dir="$BED/scheduler" --leader-elect=false \
        --kube-api-qps=500 --kube-api-burst=1000
}
has_accounts() { kubectl --kubeconfig "$BED/admin.conf" -n default get serviceaccount default; }
# The authorizer gets new roles from a watch, with a delay.
may() { curl -s -m 5 -o /dev/null -f --cacert "$PKI/ca.crt" -H "Authorization: Bearer $2-token" "https://127.0.0.1:$1$3"; }
users_may() { may "$1" viewer /api/v1/pods && may "$1" auditor /api/v1/nodes && may "$1" tenant /api/v1/namespaces/shop/pods; }
make_users() { # PORT
    kubectl --kubeconfig "$BED/admin.conf" apply -f "$BED/users.yaml" || die "the users' roles were refused"
    wait_for 20 apiserver users_may "$1"
}
