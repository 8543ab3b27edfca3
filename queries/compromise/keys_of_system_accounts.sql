-- about: Which SSH keys log in as root or as an account of a service?
-- tags: host, T1098.004
SELECT u.username, u.shell, k.key_file, k.line, k.algorithm, k.fingerprint, k.options, k.comment
FROM users u
JOIN authorized_keys k ON k.uid = u.uid
WHERE u.uid < 1000
