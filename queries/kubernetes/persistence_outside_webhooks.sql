-- about: Which webhooks send objects of the cluster to an address outside of it?
-- tags: kubernetes, persistence, collection, T1546
SELECT DISTINCT cluster, type, configuration, name, url
FROM kubernetes_webhooks
WHERE url IS NOT NULL AND url NOT LIKE 'https://localhost%' AND url NOT LIKE 'https://127.%'
