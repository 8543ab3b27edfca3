-- about: Which privileged containers can be reached from outside of the cluster?
-- tags: kubernetes, exposure, initial-access, T1190
SELECT DISTINCT e.cluster, e.type, e.namespace, e.name, e.port, e.host, c.pod_name, c.name AS container
FROM kubernetes_exposures e
JOIN kubernetes_pod_containers c ON c.cluster = e.cluster AND c.pod_uid = e.pod_uid
WHERE e.external AND c.privileged
