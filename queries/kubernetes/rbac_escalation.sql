-- about: Who may give itself more rights, by escalate, bind or impersonate?
-- tags: kubernetes, rbac, privilege-escalation, T1098
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_name NOT LIKE 'system:%' AND coalesce(subject_namespace, '') <> 'kube-system'
  AND array_has_any(escalation, ['bind', 'escalate', 'impersonate', 'change bindings'])
