-- about: Which programs in directories that everyone can write run with another user's rights?
-- tags: host, T1548.001
-- A pattern of `file` finds hidden names only if it begins them with a dot.
SELECT path, mode, uid, gid, mtime
FROM file
WHERE (path LIKE '/tmp/%%' OR path LIKE '/tmp/.%' OR path LIKE '/tmp/%/.%'
    OR path LIKE '/var/tmp/%%' OR path LIKE '/var/tmp/.%' OR path LIKE '/var/tmp/%/.%'
    OR path LIKE '/dev/shm/%%' OR path LIKE '/dev/shm/.%' OR path LIKE '/dev/shm/%/.%')
  AND type = 'regular' AND (mode LIKE '4%' OR mode LIKE '6%' OR mode LIKE '2%')
