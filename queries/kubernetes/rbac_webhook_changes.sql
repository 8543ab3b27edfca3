-- about: Which service accounts may change admission webhooks?
-- tags: kubernetes, rbac, persistence, T1546
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['change webhooks', 'change admission policies'])
