-- about: Which service accounts may create pods in kube-system or in all namespaces?
-- tags: kubernetes, rbac, execution, T1610
SELECT DISTINCT cluster, subject, namespace, binding_name, role_name, escalation
FROM kubernetes_access
WHERE subject_kind = 'ServiceAccount' AND subject_namespace <> 'kube-system'
  AND array_has_any(escalation, ['create pods', 'change workloads'])
  AND coalesce(namespace, 'kube-system') = 'kube-system'
