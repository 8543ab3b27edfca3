-- about: Which containers download a program and run it?
-- tags: kubernetes, persistence, execution, T1105
SELECT cluster, namespace, pod_name, name AS container, array_to_string(command, ' ') || ' ' || array_to_string(args, ' ') AS command
FROM kubernetes_pod_containers
WHERE regex_match(array_to_string(command, ' ') || ' ' || array_to_string(args, ' '), '(curl|wget)[^|;&]*[|;&].*sh|/dev/tcp/|base64 (-d|--decode)', 0) IS NOT NULL
