-- about: Which containers run a shell that their image does not start, and whom does it talk to?
-- interval: 1h
-- tags: containers, execution, T1059.004
SELECT
  c.pod_namespace AS namespace,
  c.pod_name AS pod,
  p.pid,
  p.cmdline,
  u.remote_address || ':' || u.remote_port AS talks_to
FROM processes p
JOIN container_processes cp ON cp.pid = p.pid
JOIN containers c ON c.id = cp.container_id
LEFT JOIN process_open_sockets u ON u.pid = p.pid AND u.state = 'ESTABLISHED' AND u.fd = 0
WHERE p.name IN ('sh', 'ash', 'bash', 'dash', 'nc')
  -- The container's first process is what its image starts.
  AND p.namespace_pid > 1
ORDER BY namespace, pod, p.pid
