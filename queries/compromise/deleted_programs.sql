-- about: Which running programs were deleted from the disk? A package upgrade without a restart is the harmless cause.
-- tags: host, T1070.004
SELECT d.pid, p.cmdline, d.path, p.uid, p.container_id
FROM process_deleted_files d
JOIN processes p ON p.pid = d.pid
WHERE d.is_program
