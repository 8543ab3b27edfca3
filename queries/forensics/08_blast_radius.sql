-- about: What else is within reach of a container with a shell in it, from its image to its cloud account?
-- interval: 1h
-- tags: trail, impact
WITH entered AS (
  SELECT DISTINCT pod.cluster, pod.uid, pod.namespace, pod.service_account_name, pod.node_name, c.image
  FROM processes p
  JOIN container_processes cp ON cp.pid = p.pid
  JOIN kubernetes_pod_containers c ON c.container_id = cp.container_id
  JOIN kubernetes_pods pod ON pod.uid = c.pod_uid
  WHERE p.name IN ('sh', 'ash', 'bash', 'dash') AND p.namespace_pid > 1
)
SELECT 1 AS step, 'same image' AS reach, c.namespace || '/' || c.pod_name AS what
FROM entered e JOIN kubernetes_pod_containers c ON c.image = e.image AND c.pod_uid <> e.uid AND c.cluster = e.cluster
UNION
SELECT 2, 'same service account', p.namespace || '/' || p.name
FROM entered e JOIN kubernetes_pods p
  ON p.namespace = e.namespace AND p.service_account_name = e.service_account_name AND p.uid <> e.uid
  AND p.cluster = e.cluster
UNION
SELECT 3, 'same node', p.namespace || ': ' || count(DISTINCT p.uid) || ' pods'
FROM entered e JOIN kubernetes_pods p ON p.node_name = e.node_name AND p.uid <> e.uid AND p.cluster = e.cluster
GROUP BY p.namespace
UNION
SELECT 4, 'same cloud account', coalesce(i.tags['Name'] || ' (' || i.instance_id || ')', 'no other machine')
FROM entered e
LEFT JOIN kubernetes_nodes n ON n.name = e.node_name AND n.cluster = e.cluster
LEFT JOIN aws_ec2_instance node ON node.instance_id = n.instance_id
LEFT JOIN aws_ec2_instance i ON i.account_id = node.account_id AND i.instance_id <> node.instance_id
ORDER BY step, what
