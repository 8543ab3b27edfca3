-- about: Which containers have secrets in environment variables, which their child processes and crash reports inherit?
-- tags: kubernetes, secrets, T1552.007
SELECT c.cluster, c.namespace, c.pod_name, c.name AS container,
       json_extract(e.value, '$.name') AS variable,
       json_extract(e.value, '$.valueFrom.secretKeyRef.name') AS secret
FROM kubernetes_pod_containers c, json_each(c.env) e
WHERE json_extract(e.value, '$.valueFrom.secretKeyRef.name') IS NOT NULL
UNION ALL
SELECT c.cluster, c.namespace, c.pod_name, c.name, NULL, json_extract(e.value, '$.secretRef.name')
FROM kubernetes_pod_containers c, json_each(c.env_from) e
WHERE json_extract(e.value, '$.secretRef.name') IS NOT NULL
