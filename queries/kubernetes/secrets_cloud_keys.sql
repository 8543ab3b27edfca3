-- about: Which containers have keys of a cloud account instead of the identity of their service account?
-- tags: kubernetes, secrets, cloud, T1552.005
SELECT c.cluster, c.namespace, c.pod_name, c.name AS container, json_extract(e.value, '$.name') AS variable
FROM kubernetes_pod_containers c, json_each(c.env) e
WHERE json_extract(e.value, '$.name') IN
  ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AZURE_CLIENT_SECRET', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CREDENTIALS')
