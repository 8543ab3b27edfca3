-- about: Which tag runs with different content in different containers?
-- tags: kubernetes, posture, supply-chain, T1525
SELECT cluster, registry, repository, tag, count(DISTINCT image_digest) AS contents, count(*) AS containers
FROM kubernetes_images
WHERE image_digest IS NOT NULL AND tag IS NOT NULL
GROUP BY cluster, registry, repository, tag
HAVING count(DISTINCT image_digest) > 1
