-- about: Which bindings outside kube-system let a service account become more than it is, and which commit made them?
-- interval: 1h
-- tags: kubernetes, rbac, privilege-escalation
SELECT
  b.name AS binding,
  b.subject_namespace || '/' || b.subject_name AS service_account,
  b.role_name AS cluster_role,
  string_agg(DISTINCT array_to_string(r.verbs, '|') || ' ' || array_to_string(r.resources, '|'), '; ' ORDER BY array_to_string(r.verbs, '|') || ' ' || array_to_string(r.resources, '|')) AS risky_rules,
  substr(b.annotations['org.opencontainers.image.revision'], 1, 10) AS revision
FROM kubernetes_cluster_role_binding_subjects b
JOIN kubernetes_cluster_role_policy_rules r ON r.name = b.role_name AND r.cluster = b.cluster
WHERE b.subject_kind = 'ServiceAccount'
  AND b.subject_namespace <> 'kube-system'
  AND (array_has_any(r.verbs, ['escalate', 'bind', 'impersonate'])
    OR (array_has_any(r.verbs, ['create', '*']) AND array_has_any(r.resources, ['pods', 'pods/exec', '*']))
    OR (array_has_any(r.verbs, ['get', 'list', '*']) AND array_has_any(r.resources, ['secrets', '*'])))
GROUP BY b.name, b.subject_namespace, b.subject_name, b.role_name, b.annotations['org.opencontainers.image.revision']
ORDER BY binding, service_account
