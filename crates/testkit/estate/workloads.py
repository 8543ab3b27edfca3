"""Prints the company's workloads in YAML (as JSON). PLANTED and PLATFORM in the environment are hashes of commits."""

import json
import os

REGISTRY = "registry.acme.example"
HTTPD = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"]
SLEEP = ["/bin/sleep", "infinity"]
objects = []


def add(version, kind, name, namespace=None, labels=None, annotations=None, **rest):
    meta = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    objects.append({"apiVersion": version, "kind": kind, "metadata": {k: v for k, v in meta.items() if v}, **rest})


def account(namespace, name, role=None):
    add("v1", "ServiceAccount", name, namespace, annotations={"eks.amazonaws.com/role-arn": role} if role else None)


def workload(namespace, name, image, command, account="default", replicas=1, kind="Deployment", annotations=None, pod=None, **container):
    labels = {"app": name}
    container = {"name": name, "image": f"{REGISTRY}/{image}", "imagePullPolicy": "Never", "command": command, **container}
    template = {"metadata": {"labels": labels, **({"annotations": annotations} if annotations else {})},
                "spec": {"serviceAccountName": account, "terminationGracePeriodSeconds": 1, "containers": [container], **(pod or {})}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    add("apps/v1", kind, name, namespace, labels, spec=spec)


def rules(name, *rules, annotations=None):
    add("rbac.authorization.k8s.io/v1", "ClusterRole", name, annotations=annotations,
        rules=[{"apiGroups": groups, "resources": resources, "verbs": verbs} for groups, resources, verbs in rules])


def bind(name, role, namespace, account, annotations=None):
    add("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name, annotations=annotations,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": namespace}])


RBAC = "rbac.authorization.k8s.io"
for namespace, team in (("shop", "shop"), ("payments", "payments"), ("data", "platform"), ("platform", "platform")):
    add("v1", "Namespace", namespace, labels={"team": team})

account("shop", "storefront")
workload("shop", "storefront", "shop/storefront:2.3.1", HTTPD, "storefront", 2,
         annotations={"org.opencontainers.image.revision": os.environ["PLANTED"]}, ports=[{"containerPort": 8080}])
workload("shop", "storefront-canary", "shop/storefront:2.3.0", HTTPD, ports=[{"containerPort": 8080}])
workload("shop", "cart", "shop/cart:4.0", HTTPD, securityContext={"runAsUser": 1000})
workload("shop", "catalog", "shop/catalog:3.2", HTTPD, securityContext={"runAsUser": 1000, "readOnlyRootFilesystem": True})
workload("shop", "checkout", "shop/checkout:5.1", SLEEP, securityContext={"runAsUser": 1000})
account("payments", "ledger", "arn:aws:iam::222222222222:role/acme-orders")
workload("payments", "ledger", "payments/ledger:1.12", SLEEP, "ledger", securityContext={"runAsNonRoot": True, "runAsUser": 1000})
workload("payments", "gateway", "payments/gateway:2.0", HTTPD, securityContext={"runAsNonRoot": True, "runAsUser": 1000})
workload("data", "postgres", "data/store:14", SLEEP, kind="StatefulSet", securityContext={"runAsUser": 1000})
workload("data", "cache", "data/store:14", SLEEP)
account("platform", "metrics")
account("platform", "deployer")
revision = {"org.opencontainers.image.revision": os.environ["PLATFORM"]}
workload("platform", "metrics", "platform/agent:1.8", SLEEP, "metrics", annotations=revision)
workload("platform", "deployer", "platform/agent:1.8", SLEEP, "deployer", annotations=revision)
workload("platform", "log-shipper", "platform/agent:1.8", SLEEP, kind="DaemonSet", annotations=revision,
         pod={"hostNetwork": True, "volumes": [{"name": "logs", "hostPath": {"path": "/var/log/pods"}}]},
         volumeMounts=[{"name": "logs", "mountPath": "/logs", "readOnly": True}])

# Roles of AWS and who they are in the cluster, as an EKS cluster maps them.
mapped = [("acme-node", "system:node:{{EC2PrivateDNSName}}", ["system:bootstrappers", "system:nodes"]), ("acme-break-glass", "break-glass", ["system:masters"])]
add("v1", "ConfigMap", "aws-auth", "kube-system", data={"mapRoles": json.dumps(
    [{"rolearn": f"arn:aws:iam::222222222222:role/{role}", "username": user, "groups": groups} for role, user, groups in mapped])})

rules("metrics-reader", ([""], ["nodes", "pods"], ["get", "list"]))
bind("metrics", "metrics-reader", "platform", "metrics")
rules("deployer", (["apps"], ["deployments", "statefulsets"], ["get", "list", "create", "update", "patch"]))
bind("deployer", "deployer", "platform", "deployer")
planted = {"org.opencontainers.image.revision": os.environ["PLANTED"]}
rules("probe-operator", ([""], ["pods", "pods/exec"], ["get", "list", "create"]), ([""], ["secrets"], ["get", "list"]),
      ([RBAC], ["clusterroles"], ["escalate", "bind"]), annotations=planted)
bind("storefront-probe", "probe-operator", "shop", "storefront", planted)
add(f"{RBAC}/v1", "Role", "ledger", "payments", rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])
add(f"{RBAC}/v1", "RoleBinding", "ledger", "payments", roleRef={"apiGroup": RBAC, "kind": "Role", "name": "ledger"},
    subjects=[{"kind": "ServiceAccount", "name": "ledger", "namespace": "payments"}])
print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
