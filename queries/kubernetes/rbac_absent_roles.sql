-- about: Which bindings wait for a role that whoever creates it can choose?
-- tags: kubernetes, rbac, persistence, T1098
SELECT b.cluster, b.name AS binding, NULL AS namespace, b.role_name, b.subject_name
FROM kubernetes_cluster_role_binding_subjects b
LEFT JOIN kubernetes_cluster_role_policy_rules r ON r.cluster = b.cluster AND r.name = b.role_name
WHERE r.name IS NULL AND b.role_name NOT IN ('admin', 'edit', 'view') AND coalesce(b.labels['kubernetes.io/bootstrapping'], '') <> 'rbac-defaults'
UNION ALL
SELECT b.cluster, b.name, b.namespace, b.role_name, b.subject_name
FROM kubernetes_role_binding_subjects b
LEFT JOIN kubernetes_role_policy_rules r ON r.cluster = b.cluster AND r.namespace = b.namespace AND r.name = b.role_name
WHERE b.role_kind = 'Role' AND r.name IS NULL AND coalesce(b.labels['kubernetes.io/bootstrapping'], '') <> 'rbac-defaults'
