-- about: Which roles have all users or all service accounts, beyond those that Kubernetes itself gives them?
-- tags: kubernetes, rbac, T1078
SELECT b.cluster, b.name AS binding, NULL AS namespace, b.subject_name, b.role_name
FROM kubernetes_cluster_role_binding_subjects b
WHERE b.subject_kind = 'Group' AND coalesce(b.labels['kubernetes.io/bootstrapping'], '') <> 'rbac-defaults'
  AND (b.subject_name IN ('system:authenticated', 'system:serviceaccounts') OR b.subject_name LIKE 'system:serviceaccounts:%')
UNION ALL
SELECT b.cluster, b.name, b.namespace, b.subject_name, b.role_name
FROM kubernetes_role_binding_subjects b
WHERE b.subject_kind = 'Group'
  AND (b.subject_name IN ('system:authenticated', 'system:serviceaccounts') OR b.subject_name LIKE 'system:serviceaccounts:%')
