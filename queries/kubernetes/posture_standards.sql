-- about: Which pods outside kube-system does not even the baseline of the Pod Security Standards allow?
-- tags: kubernetes, posture
SELECT cluster, namespace, name AS pod, baseline_violations
FROM kubernetes_pod_security
WHERE level = 'privileged' AND namespace <> 'kube-system'
