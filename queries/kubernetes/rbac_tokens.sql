-- about: Which service accounts may create tokens of other service accounts?
-- tags: kubernetes, rbac, credential-access, T1528
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['create tokens'])
