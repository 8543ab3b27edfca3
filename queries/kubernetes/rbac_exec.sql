-- about: Which service accounts may run commands in containers?
-- tags: kubernetes, rbac, execution, T1609
WITH rights AS (
  SELECT b.cluster, b.name AS binding, NULL AS namespace, b.subject_kind, b.subject_namespace, b.subject_name, b.role_name,
         r.verbs, r.resources
  FROM kubernetes_cluster_role_binding_subjects b
  JOIN kubernetes_cluster_role_policy_rules r ON r.cluster = b.cluster AND r.name = b.role_name
  UNION ALL
  SELECT b.cluster, b.name, b.namespace, b.subject_kind, b.subject_namespace, b.subject_name, b.role_name, r.verbs, r.resources
  FROM kubernetes_role_binding_subjects b
  JOIN kubernetes_cluster_role_policy_rules r ON r.cluster = b.cluster AND r.name = b.role_name
  WHERE b.role_kind = 'ClusterRole'
  UNION ALL
  SELECT b.cluster, b.name, b.namespace, b.subject_kind, b.subject_namespace, b.subject_name, b.role_name, r.verbs, r.resources
  FROM kubernetes_role_binding_subjects b
  JOIN kubernetes_role_policy_rules r ON r.cluster = b.cluster AND r.namespace = b.namespace AND r.name = b.role_name
  WHERE b.role_kind = 'Role'
)
SELECT DISTINCT cluster, binding, namespace, coalesce(subject_namespace || '/', '') || subject_name AS subject, role_name, verbs, resources
FROM rights
WHERE subject_kind = 'ServiceAccount' AND coalesce(subject_namespace, '') <> 'kube-system'
  AND array_has_any(verbs, ['create', 'get', '*'])
  AND array_has_any(resources, ['pods/exec', 'pods/attach', 'pods/ephemeralcontainers', '*/exec', '*/attach', '*'])
