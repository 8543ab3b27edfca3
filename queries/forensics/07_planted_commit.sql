-- about: Which running pods were built from a commit that its author did not commit, and what did it touch?
-- interval: 1h
-- tags: git, kubernetes, supply-chain
SELECT DISTINCT
  p.namespace || '/' || p.labels['app'] AS workload,
  substr(g.hash, 1, 10) AS commit,
  g.author_email AS author,
  g.committer_email AS committer,
  g.author_date,
  g.summary,
  f.status,
  f.path
FROM kubernetes_pods p
JOIN git_commits g ON g.hash = p.annotations['org.opencontainers.image.revision']
JOIN git_commit_files f ON f.repo = g.repo AND f.hash = g.hash
WHERE g.committer_email <> g.author_email
ORDER BY workload, commit, f.path
