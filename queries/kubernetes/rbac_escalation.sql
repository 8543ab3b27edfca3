-- about: Who may give itself more rights, by escalate, bind or impersonate?
-- tags: kubernetes, rbac, privilege-escalation, T1098
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
WHERE subject_name NOT LIKE 'system:%' AND coalesce(subject_namespace, '') <> 'kube-system'
  AND array_has_any(verbs, ['escalate', 'bind', 'impersonate'])
