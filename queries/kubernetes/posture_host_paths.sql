-- about: Which pods outside kube-system mount directories of their node?
-- tags: kubernetes, posture, T1611
SELECT cluster, namespace, name AS pod, value AS path, node_name
FROM kubernetes_pod_security_violations
WHERE level = 'baseline' AND control = 'HostPath Volumes' AND namespace <> 'kube-system'
