-- about: Which subjects may do everything with every resource by another role than cluster-admin?
-- tags: kubernetes, rbac, T1078
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name
FROM kubernetes_access
WHERE subject_name NOT LIKE 'system:%' AND coalesce(subject_namespace, '') <> 'kube-system'
  AND verb = '*' AND resource = '*' AND subresource IS NULL AND role_name <> 'cluster-admin'
