-- about: Which machine and which cloud role stand behind each node, and how many pods could borrow them?
-- interval: 1h
-- tags: kubernetes, aws, credential-access
SELECT
  n.name AS node,
  i.instance_id,
  i.tags['Name'] AS machine,
  a.title AS account,
  ip.instance_profile_name AS instance_profile,
  r.name AS role,
  array_to_string(r.attached_policy_arns, ', ') AS policies,
  count(p.uid) AS pods
FROM kubernetes_nodes n
JOIN aws_ec2_instance i ON i.instance_id = n.instance_id
LEFT JOIN aws_account a ON a.account_id = i.account_id
LEFT JOIN aws_iam_instance_profile ip ON ip.arn = i.iam_instance_profile_arn
LEFT JOIN aws_iam_role r ON r.arn = ip.role_arn
LEFT JOIN kubernetes_pods p ON p.node_name = n.name AND p.cluster = n.cluster
GROUP BY n.name, i.instance_id, i.tags['Name'], a.title, ip.instance_profile_name, r.name, r.attached_policy_arns
ORDER BY node, instance_id
