-- about: Who is cluster-admin besides the group system:masters?
-- tags: kubernetes, rbac, T1078
SELECT b.cluster, b.name AS binding, NULL AS namespace, b.subject_kind, b.subject_namespace, b.subject_name
FROM kubernetes_cluster_role_binding_subjects b
WHERE b.role_name = 'cluster-admin' AND b.subject_name <> 'system:masters'
UNION ALL
SELECT b.cluster, b.name, b.namespace, b.subject_kind, b.subject_namespace, b.subject_name
FROM kubernetes_role_binding_subjects b
WHERE b.role_kind = 'ClusterRole' AND b.role_name = 'cluster-admin'
