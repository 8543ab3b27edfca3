-- about: Which pods outside kube-system listen on their node?
-- tags: kubernetes, exposure, T1133
SELECT DISTINCT cluster, type, namespace, name, port
FROM kubernetes_exposures
WHERE type IN ('HostPort', 'HostNetwork') AND external AND namespace <> 'kube-system'
