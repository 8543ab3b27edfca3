-- about: Which administration interfaces can be reached from outside of the cluster?
-- tags: kubernetes, exposure, initial-access, T1133
SELECT DISTINCT cluster, type, namespace, name, exposed_addresses, port, host
FROM kubernetes_exposures
WHERE external
  AND regex_match(lower(coalesce(service_name, name)), '(dashboard|argocd|kubeflow|jenkins|grafana|prometheus|etcd|kubelet|weave-scope|portainer)', 0) IS NOT NULL
