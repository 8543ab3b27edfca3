-- about: Which images can change without a change of the specification?
-- tags: kubernetes, posture, supply-chain, T1525
SELECT DISTINCT cluster, namespace, image
FROM kubernetes_images
WHERE digest IS NULL AND tag = 'latest'
