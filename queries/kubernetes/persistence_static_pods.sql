-- about: Which pods outside kube-system did the kubelet start from a file of its node, past the API server?
-- tags: kubernetes, persistence, T1525
SELECT cluster, namespace, name AS pod, node_name
FROM kubernetes_pods
WHERE kubelet_uid <> uid AND namespace <> 'kube-system'
