-- about: Which roles have the default service accounts, and so every pod that names no other?
-- tags: kubernetes, rbac, T1078
SELECT b.cluster, b.name AS binding, NULL AS namespace, b.subject_namespace, b.role_name
FROM kubernetes_cluster_role_binding_subjects b
WHERE b.subject_kind = 'ServiceAccount' AND b.subject_name = 'default'
UNION ALL
SELECT b.cluster, b.name, b.namespace, coalesce(b.subject_namespace, b.namespace), b.role_name
FROM kubernetes_role_binding_subjects b
WHERE b.subject_kind = 'ServiceAccount' AND b.subject_name = 'default'
