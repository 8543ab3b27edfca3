-- about: Which containers outside kube-system have the rights of root on their node?
-- tags: kubernetes, posture, privilege-escalation, T1611
SELECT cluster, namespace, pod_name, name AS container, image, node_name
FROM kubernetes_pod_containers
WHERE privileged AND namespace <> 'kube-system'
