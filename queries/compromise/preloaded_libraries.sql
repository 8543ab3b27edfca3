-- about: Which libraries are programs made to load?
-- tags: host, T1574.006
SELECT source, variable, value, file, line, unit, pid
FROM ld_preload
WHERE source <> 'ld.so.conf' AND variable IS NOT 'LD_LIBRARY_PATH'
