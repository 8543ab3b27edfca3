-- about: Which service accounts may run commands in containers?
-- tags: kubernetes, rbac, execution, T1609
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['pods/exec', 'pods/attach', 'ephemeral containers'])
