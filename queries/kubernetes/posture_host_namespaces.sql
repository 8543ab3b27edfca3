-- about: Which pods outside kube-system see processes, memory or the network of their node?
-- tags: kubernetes, posture, T1611
SELECT cluster, namespace, name AS pod, host_pid, host_ipc, host_network, node_name
FROM kubernetes_pods
WHERE (host_pid OR host_ipc OR host_network) AND namespace <> 'kube-system'
