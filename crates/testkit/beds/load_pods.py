"""load_pods.py URL CA COUNT NODES BINDINGS: creates realistic pods with a complete Running (or Failed) status on an API server bed.

Pod number i is the same on every run: every 101st is privileged, every 211th is in the host's PID namespace, every 151st
in its network namespace, every 199th mounts the Docker socket, every 50th has failed. The role bindings
grant 100 cluster roles to users, groups and service accounts, including the default account of each namespace."""

import http.client
import json
import queue
import ssl
import sys
import threading
import urllib.parse

URL, CA, COUNT = urllib.parse.urlparse(sys.argv[1]), sys.argv[2], int(sys.argv[3])
NAMESPACES, NODES, BINDINGS, THREADS, ROLES = 20, int(sys.argv[4]), int(sys.argv[5]), 12, 100
RBAC = "rbac.authorization.k8s.io"
TLS = ssl.create_default_context(cafile=CA)
TIME = "2026-01-01T00:00:00Z"
failures = []


def ask(connection, method, path, body=None, kind="application/json"):
    headers = {"Authorization": "Bearer admin-token", "Content-Type": kind}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def name(i):
    return f"app-{i % 97}-7d9c6b8f5-{i:05d}"


def pod(i):
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name(i), "namespace": f"load-{i % NAMESPACES}",
            "labels": {"app": f"app-{i % 97}", "pod-template-hash": "7d9c6b8f5", "app.kubernetes.io/part-of": f"sys-{i % 9}"},
            "annotations": {"prometheus.io/scrape": "true", "checksum/config": "ab" * 32},
        },
        "spec": {
            "serviceAccountName": "default", "nodeName": f"node-{i % NODES}",
            "hostPID": i % 211 == 0, "hostNetwork": i % 151 == 0,
            "securityContext": {"runAsNonRoot": True, "fsGroup": 2000} if i % 3 == 0 else {},
            "initContainers": [{"name": "init", "image": f"registry.local/init:{i % 5}", "command": ["sh", "-c", "true"]}] if i % 4 == 0 else [],
            "containers": [
                {
                    "name": "main", "image": f"registry.local/team-{i % 13}/app-{i % 97}:v{i % 40}", "args": ["--port=8080", "--log=json"],
                    "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "metrics"}],
                    "env": [
                        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "DB_URL", "value": "postgres://db/app"}, {"name": "LEVEL", "value": "info"},
                    ],
                    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                    "securityContext": {
                        "privileged": i % 101 == 0, "allowPrivilegeEscalation": i % 101 == 0 or i % 7 == 0,
                        "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"] if i % 173 == 0 else []},
                    },
                    "volumeMounts": [{"name": "cfg", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}],
                },
                {"name": "sidecar", "image": "registry.local/mesh/proxy:1.20", "args": ["proxy", "sidecar"],
                 "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}}},
            ],
            "volumes": [{"name": "cfg", "configMap": {"name": f"app-{i % 97}"}}, {"name": "tmp", "emptyDir": {}}]
            + ([{"name": "h", "hostPath": {"path": "/var/run/docker.sock"}}] if i % 199 == 0 else []),
        },
    }


def status(i):
    address = f"10.{i // 65025 % 250}.{i // 255 % 255}.{i % 255}"
    return {"status": {
        "phase": "Running" if i % 50 else "Failed", "hostIP": "127.0.0.1", "podIP": address, "podIPs": [{"ip": address}],
        "startTime": TIME, "qosClass": "Burstable",
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": TIME} for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")],
        "containerStatuses": [
            {"name": container, "image": f"registry.local/{container}:1", "imageID": "registry.local/x@sha256:%064x" % (i % 97),
             "containerID": "containerd://%064x" % (i * 2 + j), "ready": True, "started": True, "restartCount": i % 6,
             "state": {"running": {"startedAt": TIME}}}
            for j, container in enumerate(("main", "sidecar"))
        ],
    }}


def role(i):
    rules = [{"verbs": ["get", "list"] if k else ["create"], "apiGroups": ["", "apps"], "resources": [f"kind-{k}", "pods"]} for k in range(i % 5 + 1)]
    return {"metadata": {"name": f"load-{i}"}, "rules": rules}


def binding(i):
    namespace = f"load-{i % NAMESPACES}"
    if i % 3 == 0:
        # The first ones are of the pods' accounts.
        name = "default" if i < 3 * NAMESPACES else f"app-{i % 97}"
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    elif i % 2:
        subject = {"kind": "User", "name": f"user-{i % 1000}", "apiGroup": RBAC}
    else:
        subject = {"kind": "Group", "name": f"group-{i % 50}", "apiGroup": RBAC}
    return {"metadata": {"name": f"load-{i}"}, "subjects": [subject],
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"load-{i % ROLES}"}}


def connect():
    return http.client.HTTPSConnection(URL.hostname, URL.port, context=TLS)


def each(work, count=COUNT):
    jobs = queue.SimpleQueue()
    for i in range(count):
        jobs.put(i)

    def worker():
        connection = connect()
        while True:
            try:
                i = jobs.get_nowait()
            except queue.Empty:
                return
            code, body = work(connection, i)
            if code >= 300 and code != 409:
                failures.append((code, body[:200]))

    threads = [threading.Thread(target=worker) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main = connect()
for k in range(NAMESPACES):
    ask(main, "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"load-{k}"}})
    # A controller-manager also creates it, and this is a conflict; without one, only this script does.
    ask(main, "POST", f"/api/v1/namespaces/load-{k}/serviceaccounts", {"metadata": {"name": "default"}})
for k in range(NODES):
    ask(main, "POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{k}", "labels": {"kubernetes.io/os": "linux"}}})
each(lambda connection, i: ask(connection, "POST", f"/api/v1/namespaces/load-{i % NAMESPACES}/pods", pod(i)))
each(lambda connection, i: ask(
    connection, "PATCH", f"/api/v1/namespaces/load-{i % NAMESPACES}/pods/{name(i)}/status", status(i), "application/merge-patch+json"))
each(lambda connection, i: ask(connection, "POST", f"/apis/{RBAC}/v1/clusterroles", role(i)), ROLES if BINDINGS else 0)
each(lambda connection, i: ask(connection, "POST", f"/apis/{RBAC}/v1/namespaces/load-{i % NAMESPACES}/rolebindings", binding(i)), BINDINGS)
if failures:
    sys.exit(f"{len(failures)} requests failed, the first with {failures[0]}")
