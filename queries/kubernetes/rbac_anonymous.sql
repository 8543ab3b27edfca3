-- about: What may be done without credentials, beyond what Kubernetes itself allows?
-- tags: kubernetes, rbac, initial-access, T1133
SELECT b.cluster, b.name AS binding, NULL AS namespace, b.subject_name, b.role_name
FROM kubernetes_cluster_role_binding_subjects b
WHERE b.subject_name IN ('system:anonymous', 'system:unauthenticated') AND coalesce(b.labels['kubernetes.io/bootstrapping'], '') <> 'rbac-defaults'
UNION ALL
SELECT b.cluster, b.name, b.namespace, b.subject_name, b.role_name
FROM kubernetes_role_binding_subjects b
WHERE b.subject_name IN ('system:anonymous', 'system:unauthenticated') AND b.name <> 'kubeadm:bootstrap-signer-clusterinfo'
