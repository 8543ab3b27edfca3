-- about: Which pods outside kube-system may ask the metadata service of their cloud for the credentials of the node?
-- tags: kubernetes, exposure, credential-access, T1552.005
SELECT cluster, namespace, pod_name
FROM kubernetes_network_reachability
WHERE direction = 'egress' AND peer_ip = '169.254.169.254' AND port = 80 AND allowed AND namespace <> 'kube-system'
