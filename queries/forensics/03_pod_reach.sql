-- about: Which running pods can read secrets, start pods or give themselves more rights?
-- interval: 1h
-- tags: kubernetes, privilege-escalation
SELECT
  p.namespace,
  p.service_account_name AS service_account,
  count(DISTINCT p.uid) AS pods,
  b.name AS binding,
  array_to_string(r.verbs, ', ') AS verbs,
  array_to_string(r.resources, ', ') AS resources
FROM kubernetes_pods p
JOIN kubernetes_cluster_role_binding_subjects b
  ON b.subject_kind = 'ServiceAccount' AND b.subject_namespace = p.namespace AND b.subject_name = p.service_account_name
JOIN kubernetes_cluster_role_policy_rules r ON r.name = b.role_name
WHERE p.phase = 'Running'
  AND ((array_has_any(r.resources, ['secrets', '*']) AND array_has_any(r.verbs, ['get', 'list', '*']))
    OR (array_has_any(r.resources, ['pods', 'pods/exec', '*']) AND array_has_any(r.verbs, ['create', '*']))
    OR array_has_any(r.verbs, ['escalate', 'bind', 'impersonate', '*']))
GROUP BY p.namespace, p.service_account_name, b.name, r.verbs, r.resources
ORDER BY p.namespace, service_account, resources
