"""busybox_image.py OUT.tar: writes the image `localhost/bb:1`, which contains only busybox, as a docker archive.

For `docker load`, `podman load` and `ctr images import`. Needs no registry and no daemon. The same busybox gives
the same image, byte by byte."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile

OUT = sys.argv[1]
BUSYBOX = "/usr/bin/busybox"
NAME = "localhost/bb:1"


def entry(tar, name, data=None, kind=tarfile.REGTYPE, mode=0o644, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.mtime = kind, mode, link, 1767225600
    info.size = len(data) if data else 0
    tar.addfile(info, io.BytesIO(data) if data else None)


layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as tar:
    for folder in "bin etc tmp proc sys dev root host var var/run var/log usr usr/bin".split():
        entry(tar, folder, kind=tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
    entry(tar, "bin/busybox", open(BUSYBOX, "rb").read(), mode=0o755)
    for applet in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
        if applet != "busybox":
            entry(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, mode=0o777, link="busybox")
    entry(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    entry(tar, "etc/group", b"root:x:0:\nweb:x:1000:\nnogroup:x:65534:\n")
    entry(tar, "etc/os-release", b'ID=busybox\nNAME="BusyBox test image"\nVERSION_ID="1"\n')
layer = layer.getvalue()

config = json.dumps({
    "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
    "config": {
        "Cmd": ["/bin/sleep", "100000"], "Env": ["PATH=/bin"],
        "Labels": {"org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
                   "org.opencontainers.image.source": "https://git.example.test/shop/web.git"},
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "busybox_image.py"}],
}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]).encode()
with tarfile.open(OUT, "w") as tar:
    entry(tar, "layer.tar", layer)
    entry(tar, "config.json", config)
    entry(tar, "manifest.json", manifest)
