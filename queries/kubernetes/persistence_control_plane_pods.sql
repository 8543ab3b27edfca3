-- about: Which pods outside kube-system tolerate all taints, and so run on control plane nodes too?
-- tags: kubernetes, persistence, T1610
SELECT p.cluster, p.namespace, p.name AS pod, p.node_name
FROM kubernetes_pods p, json_each(p.tolerations) t
WHERE json_extract(t.value, '$.operator') = 'Exists' AND json_extract(t.value, '$.key') IS NULL AND p.namespace <> 'kube-system'
