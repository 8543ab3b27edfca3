-- about: Which shells read their commands from a network connection?
-- tags: host, T1059.004
SELECT p.pid, p.name, p.cmdline, p.uid, s.remote_address, s.remote_port, p.container_id
FROM process_open_sockets s
JOIN processes p ON p.pid = s.pid
WHERE s.fd = 0 AND s.family IN (2, 10) AND s.remote_port > 0
  AND p.name IN ('sh', 'ash', 'bash', 'dash', 'ksh', 'zsh', 'fish', 'busybox')
