# pki.sh DIR: creates one authority for all Kubernetes beds of this machine, their certificates, and the users' tokens.
set -eu
umask 077
cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=indago-beds -keyout ca.key -out ca.crt
sign() { # NAME SUBJECT EXTENSIONS
    openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
    printf '%b' "$3" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt"
    rm "$1.csr" "$1.ext"
}
sign apiserver /CN=kube-apiserver 'subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc\nextendedKeyUsage=serverAuth\n'
sign kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client 'extendedKeyUsage=clientAuth\n'
openssl genrsa -out sa.key 2048
openssl rsa -in sa.key -pubout -out sa.pub
cat > tokens.csv <<T
admin-token,admin,uid-admin,"system:masters"
viewer-token,viewer,uid-viewer,"viewers"
auditor-token,auditor,uid-auditor
tenant-token,tenant,uid-tenant
nobody-token,nobody,uid-nobody
system:kube-controller-manager-token,system:kube-controller-manager,uid-controllers
system:kube-scheduler-token,system:kube-scheduler,uid-scheduler
T
