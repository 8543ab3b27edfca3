-- about: Which pods have a token of a service account that has rights and that they share with all pods of the namespace?
-- tags: kubernetes, secrets, credential-access, T1528
SELECT DISTINCT p.cluster, p.namespace, p.name AS pod, b.name AS binding, b.role_name
FROM kubernetes_pods p
JOIN kubernetes_role_binding_subjects b
  ON b.cluster = p.cluster AND b.subject_name = p.service_account_name AND coalesce(b.subject_namespace, b.namespace) = p.namespace
WHERE b.subject_kind = 'ServiceAccount' AND p.service_account_name = 'default'
  AND coalesce(p.automount_service_account_token, true)
