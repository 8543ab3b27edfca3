-- about: Which running pods can read secrets, start pods or give themselves more rights?
-- interval: 1h
-- tags: kubernetes, privilege-escalation
WITH bindings AS (
  SELECT cluster, name, subject_kind, subject_namespace, subject_name, 'ClusterRole' AS role_kind, role_name, '' AS within
  FROM kubernetes_cluster_role_binding_subjects
  UNION ALL
  SELECT cluster, name, subject_kind, subject_namespace, subject_name, role_kind, role_name, namespace
  FROM kubernetes_role_binding_subjects
), rules AS (
  SELECT cluster, 'ClusterRole' AS role_kind, '' AS namespace, name, verbs, resources FROM kubernetes_cluster_role_policy_rules
  UNION ALL
  SELECT cluster, 'Role', namespace, name, verbs, resources FROM kubernetes_role_policy_rules
), accounts AS (
  SELECT cluster, namespace, service_account_name, count(*) AS pods
  FROM kubernetes_pods WHERE phase = 'Running'
  GROUP BY cluster, namespace, service_account_name
), subjects AS (
  SELECT *, 'ServiceAccount' AS kind, namespace AS holder, service_account_name AS name FROM accounts
  UNION ALL
  -- Every service account is in these groups.
  SELECT *, 'Group', '', 'system:authenticated' FROM accounts
  UNION ALL
  SELECT *, 'Group', '', 'system:serviceaccounts' FROM accounts
  UNION ALL
  SELECT *, 'Group', '', 'system:serviceaccounts:' || namespace FROM accounts
)
SELECT
  s.namespace,
  s.service_account_name AS service_account,
  s.pods,
  b.name AS binding,
  b.within AS in_namespace,
  array_to_string(r.verbs, ', ') AS verbs,
  array_to_string(r.resources, ', ') AS resources
FROM subjects s
JOIN bindings b ON b.subject_kind = s.kind AND b.subject_name = s.name AND coalesce(b.subject_namespace, '') = s.holder AND b.cluster = s.cluster
JOIN rules r
  ON r.role_kind = b.role_kind AND r.name = b.role_name AND r.cluster = b.cluster AND r.namespace IN ('', b.within)
WHERE (array_has_any(r.resources, ['secrets', '*']) AND array_has_any(r.verbs, ['get', 'list', '*']))
  OR (array_has_any(r.resources, ['pods', 'pods/exec', '*']) AND array_has_any(r.verbs, ['create', '*']))
  OR array_has_any(r.verbs, ['escalate', 'bind', 'impersonate', '*'])
ORDER BY s.namespace, service_account, binding, resources
