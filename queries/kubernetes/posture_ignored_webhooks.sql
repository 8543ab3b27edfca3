-- about: Which webhooks for pods are switched off by an outage?
-- tags: kubernetes, posture, defense-evasion, T1562
SELECT DISTINCT cluster, type, configuration, name
FROM kubernetes_webhooks
WHERE failure_policy = 'Ignore' AND array_has_any(resources, ['pods', '*', '*/*'])
