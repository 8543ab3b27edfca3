#!/bin/bash
# build-kubernetes.sh DEST: builds kube-apiserver, kube-controller-manager, kube-scheduler and kubelet from Debian's
# source package (bookworm: 1.20.2, all dependencies vendored) into DEST/bin, with Debian's etcd. Downloads only through
# apt. About 11 minutes on two cores; everything but DEST/bin is deleted afterwards. BINS="..." builds fewer programs.
set -euo pipefail
dest=$(realpath -m "${1:?usage: build-kubernetes.sh DEST}")
work=$dest/work
mkdir -p "$dest/bin" "$work"/{apt/parts,apt/lists/partial,apt/cache/archives/partial,src,deb}
# One build at a time, even if it is started by hand during a test.
exec 9> "$dest/lock"; flock 9
export GOROOT=/usr/lib/go-1.19 PATH=/usr/lib/go-1.19/bin:$PATH

# A private apt configuration with source packages, on the machine's own mirror.
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sed 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources > "$work/apt/parts/debian.sources"
else
    sed -n 's/^deb /deb-src /p; /^deb /p' /etc/apt/sources.list > "$work/apt/parts/debian.list"
fi
cat > "$work/apt/apt.conf" <<A
Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$work/apt/parts"; Dir::State::lists "$work/apt/lists"; Dir::Cache "$work/apt/cache";
APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
A
apt() { apt-get -c "$work/apt/apt.conf" -qq "$@"; }
cd "$work/src"
if ! ls kubernetes_*.dsc > /dev/null 2>&1; then apt update; apt source --download-only kubernetes; fi
if ! [ -x "$dest/bin/etcd" ]; then
    cd "$work/deb"; apt download etcd-server; dpkg -x etcd-server_*.deb x; cp x/usr/bin/etcd "$dest/bin/etcd"
fi

export GOPATH=$work/gopath GOCACHE=$work/gocache GO111MODULE=off GOPROXY=off GOFLAGS= CGO_ENABLED=0
tree=$GOPATH/src/k8s.io/kubernetes
cd "$work/src"
[ -d "$tree" ] || { mkdir -p "$(dirname "$tree")"; dpkg-source --no-check -x kubernetes_*.dsc "$tree" > /dev/null; }
cd "$tree"
# The linker's -X does not reach these variables in GOPATH mode.
for file in staging/src/k8s.io/{component-base,client-go/pkg}/version/base.go; do
    sed -i -E 's/gitMajor +string( = "[0-9]*")? /gitMajor string = "1" /; s/gitMinor +string( = "[0-9]*")? /gitMinor string = "20" /; s/"v0\.0\.0-master\+[0-9a-f]+"/"v1.20.2"/; s/(gitTreeState +(string )?=) ""/\1 "clean"/' "$file"
done
# The vendored reflect2 calls reflect.mapiterinit as defined before Go 1.18. With a newer Go, every map that is written
# as JSON corrupts memory, and listing ClusterRoles kills the API server. This is the fix of reflect2 1.0.2.
reflect2=vendor/github.com/modern-go/reflect2
if [ ! -f $reflect2/go_above_118.go ]; then
    perl -0pi -e 's|// m escapes into.*?\*hiter\n||s; s|type hiter struct \{.*?\n\}\n||s' $reflect2/unsafe_link.go
    perl -0pi -e 's|func \(type2 \*UnsafeMapType\) UnsafeIterate.*?\n\}\n||s; s|iter\.value|iter.elem|' $reflect2/unsafe_map.go
    cat > $reflect2/go_above_118.go <<'G'
package reflect2

import "unsafe"

type hiter struct {
	key, elem, t, h, buckets, bptr unsafe.Pointer
	overflow, oldoverflow          *[]unsafe.Pointer
	startBucket                    uintptr
	offset                         uint8
	wrapped                        bool
	B, i                           uint8
	bucket, checkBucket            uintptr
}

//go:noescape
//go:linkname mapiterinit reflect.mapiterinit
func mapiterinit(rtype unsafe.Pointer, m unsafe.Pointer, it *hiter)

func (type2 *UnsafeMapType) UnsafeIterate(obj unsafe.Pointer) MapIterator {
	var it hiter
	mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), &it)
	return &UnsafeMapIterator{hiter: &it, pKeyRType: type2.pKeyRType, pElemRType: type2.pElemRType}
}
G
fi
# The only generated file that the source package lacks.
if [ ! -s pkg/generated/openapi/zz_generated.openapi.go ]; then
    go build -o "$work/openapi-gen" ./vendor/k8s.io/code-generator/cmd/openapi-gen
    folders=$({
        grep -rl --include=*.go '+k8s:openapi-gen=' pkg cmd plugin
        for module in $(find vendor/k8s.io -maxdepth 1 -type l); do
            find -L "$module" -name '*.go' -not -path '*/vendor/*' -print0 | xargs -0 grep -l '+k8s:openapi-gen=' || true
        done
    } | grep -v -e vendor/k8s.io/code-generator/ -e vendor/k8s.io/sample-apiserver/ -e _test.go | xargs -n1 dirname | sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
    "$work/openapi-gen" -i "$folders" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
        -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$work/openapi.violations" --output-base "$GOPATH/src" 2> /dev/null
fi
for program in ${BINS:-kube-apiserver kube-controller-manager kube-scheduler kubelet}; do
    [ -x "$dest/bin/$program" ] || { go build -trimpath -ldflags "-s -w" -o "$dest/bin/$program.new" "./cmd/$program"; mv "$dest/bin/$program.new" "$dest/bin/$program"; }
done
chmod -R u+w "$work"
rm -rf "$work"
