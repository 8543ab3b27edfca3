-- about: Which services claim external addresses, and so the traffic to them?
-- tags: kubernetes, exposure, T1557
SELECT DISTINCT cluster, namespace, name, exposed_addresses, port
FROM kubernetes_exposures
WHERE type = 'ExternalIP'
