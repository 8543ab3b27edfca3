-- about: Which namespaces with pods enforce no Pod Security Standard, or the one that allows everything?
-- tags: kubernetes, posture
SELECT n.cluster, n.name AS namespace, count(*) AS pods
FROM kubernetes_namespaces n
JOIN kubernetes_pods p ON p.cluster = n.cluster AND p.namespace = n.name
WHERE n.name NOT LIKE 'kube-%'
  AND coalesce(n.labels['pod-security.kubernetes.io/enforce'], 'privileged') = 'privileged'
GROUP BY n.cluster, n.name
