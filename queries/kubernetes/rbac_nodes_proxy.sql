-- about: Which service accounts may call the kubelets through the API server, past admission and audit?
-- tags: kubernetes, rbac, privilege-escalation, T1611
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['nodes/proxy'])
