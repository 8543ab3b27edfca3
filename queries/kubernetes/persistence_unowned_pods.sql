-- about: Which pods outside kube-system have no controller, so that somebody started them by hand?
-- tags: kubernetes, persistence, T1610
SELECT cluster, namespace, name AS pod, service_account_name, creation_timestamp
FROM kubernetes_pods
WHERE owner_kind IS NULL AND namespace <> 'kube-system'
