-- about: Which exposed pods does no network policy protect?
-- tags: kubernetes, exposure, T1190
SELECT DISTINCT e.cluster, e.type, e.namespace, e.name, r.pod_name
FROM kubernetes_exposures e
JOIN kubernetes_network_reachability r ON r.cluster = e.cluster AND r.pod_uid = e.pod_uid
WHERE e.external AND r.direction = 'ingress' AND NOT r.isolated AND e.namespace <> 'kube-system'
