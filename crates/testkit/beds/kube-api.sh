# etcd and kube-apiserver with TLS, RBAC and static tokens; with CONTROLLERS=1 also controller-manager and scheduler.
. "$BED/kube-lib.sh"
kubeconfig "$API_PORT" admin > "$BED/admin.conf"
start_etcd "$ETCD_PORT" "$PEER_PORT"
if [ "${CONTROLLERS:-}" = 1 ]; then
    start_apiserver "$API_PORT" "$ETCD_PORT"
    start_controllers "$API_PORT" "$CM_PORT" "$SCHED_PORT" '*,-nodelifecycle,-nodeipam,-route,-service,-cloud-node-lifecycle'
    wait_for 60 controllers has_accounts
else
    # Without controllers the `default` service accounts do not exist, so admission must not wait for them.
    start_apiserver "$API_PORT" "$ETCD_PORT" --disable-admission-plugins=ServiceAccount
fi
make_users "$API_PORT"
stay
