-- about: Which rights wait for a service account that does not exist?
-- tags: kubernetes, rbac, persistence, T1136
WITH subjects AS (
  SELECT cluster, name AS binding, subject_namespace AS namespace, subject_name, role_name
  FROM kubernetes_cluster_role_binding_subjects WHERE subject_kind = 'ServiceAccount'
  UNION ALL
  SELECT cluster, name, coalesce(subject_namespace, namespace), subject_name, role_name
  FROM kubernetes_role_binding_subjects WHERE subject_kind = 'ServiceAccount'
)
SELECT s.cluster, s.binding, s.namespace, s.subject_name, s.role_name
FROM subjects s
LEFT JOIN kubernetes_service_accounts a ON a.cluster = s.cluster AND a.namespace = s.namespace AND a.name = s.subject_name
WHERE a.name IS NULL AND s.namespace <> 'kube-system' AND s.subject_name <> 'default'
