-- about: Which service accounts may read the secrets of all namespaces?
-- tags: kubernetes, secrets, credential-access, T1552.007
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['read secrets'])
  AND namespace IS NULL AND resource_name IS NULL
