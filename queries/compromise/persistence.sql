-- about: What starts by itself from a directory that everyone can write, from a hidden file, or by a download?
-- tags: host, T1053.003, T1543.002
SELECT kind, name, username, command, file, line
FROM persistence
WHERE command LIKE '%/tmp/%' OR command LIKE '%/dev/shm/%' OR command LIKE '%/dev/tcp/%'
   OR (kind <> 'shell' AND regex_match(command, '/\.[^./]', 0) IS NOT NULL) OR regex_match(command, '(curl|wget)[^|]*\|\s*(ba)?sh', 0) IS NOT NULL
