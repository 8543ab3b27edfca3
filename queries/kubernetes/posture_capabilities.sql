-- about: Which containers outside kube-system have capabilities with which they can leave their container?
-- tags: kubernetes, posture, T1611
SELECT cluster, namespace, pod_name, name AS container, capabilities_add
FROM kubernetes_pod_containers
WHERE array_has_any(capabilities_add,
    ['ALL', 'SYS_ADMIN', 'SYS_PTRACE', 'SYS_MODULE', 'SYS_RAWIO', 'DAC_READ_SEARCH', 'BPF', 'NET_ADMIN', 'SYS_BOOT'])
  AND namespace <> 'kube-system'
