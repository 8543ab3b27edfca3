-- about: Which hosts are served without TLS?
-- tags: kubernetes, exposure, T1040
SELECT DISTINCT cluster, type, namespace, name, host
FROM kubernetes_exposures
WHERE host IS NOT NULL AND NOT tls
