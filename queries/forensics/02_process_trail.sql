-- about: From each shell in a container: its pod, what that may do in the cluster, its node's cloud role, and the commit of its image?
-- interval: 1h
-- tags: trail, containers, kubernetes, aws, git
SELECT
  p.pid,
  p.cmdline,
  k.namespace || '/' || k.name AS pod,
  k.service_account_name AS service_account,
  b.role_name AS cluster_role,
  string_agg(DISTINCT array_to_string(r.verbs, '|') || ' ' || array_to_string(r.resources, '|'), '; ' ORDER BY array_to_string(r.verbs, '|') || ' ' || array_to_string(r.resources, '|')) AS may,
  i.instance_id AS node_instance,
  role.name AS node_role,
  substr(g.hash, 1, 10) AS built_from,
  g.committer_email AS committer
FROM processes p
JOIN container_processes cp ON cp.pid = p.pid
JOIN kubernetes_pod_containers c ON c.container_id = cp.container_id
JOIN kubernetes_pods k ON k.uid = c.pod_uid
LEFT JOIN kubernetes_cluster_role_binding_subjects b
  ON b.subject_kind = 'ServiceAccount' AND b.subject_namespace = k.namespace AND b.subject_name = k.service_account_name
  AND b.cluster = k.cluster
LEFT JOIN kubernetes_cluster_role_policy_rules r ON r.name = b.role_name AND r.cluster = b.cluster
LEFT JOIN kubernetes_nodes n ON n.name = k.node_name AND n.cluster = k.cluster
LEFT JOIN aws_ec2_instance i ON i.instance_id = n.instance_id
LEFT JOIN aws_iam_instance_profile ip ON ip.arn = i.iam_instance_profile_arn
LEFT JOIN aws_iam_role role ON role.arn = ip.role_arn
LEFT JOIN git_commits g ON g.hash = k.annotations['org.opencontainers.image.revision']
WHERE p.name IN ('sh', 'ash', 'bash', 'dash') AND p.namespace_pid > 1
GROUP BY p.pid, p.cmdline, k.namespace, k.name, k.service_account_name, b.role_name, i.instance_id, role.name, g.hash, g.committer_email
ORDER BY p.pid, cluster_role
