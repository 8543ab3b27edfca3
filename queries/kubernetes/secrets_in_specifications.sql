-- about: Which containers have a password or key as plain text in their specification?
-- tags: kubernetes, secrets, T1552.001
SELECT c.cluster, c.namespace, c.pod_name, c.name AS container, json_extract(e.value, '$.name') AS variable
FROM kubernetes_pod_containers c, json_each(c.env) e
WHERE length(json_extract(e.value, '$.value')) >= 8
  AND regex_match(upper(json_extract(e.value, '$.name')), '(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)', 0) IS NOT NULL
  AND regex_match(upper(json_extract(e.value, '$.name')), '(FILE|PATH|DIR|NAME|URL)$', 0) IS NULL
