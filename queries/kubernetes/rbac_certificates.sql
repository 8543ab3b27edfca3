-- about: Who may approve certificate requests, and so become anybody?
-- tags: kubernetes, rbac, privilege-escalation, T1649
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_name NOT LIKE 'system:%' AND coalesce(subject_namespace, '') <> 'kube-system'
  AND array_has_any(escalation, ['approve certificates', 'sign certificates'])
