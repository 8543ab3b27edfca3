"""images.py BUSYBOX.tar OUT.tar: writes the company's images; each is the busybox image with another name and labels.

CLEAN, PLANTED and PLATFORM in the environment are hashes of commits."""

import hashlib
import io
import json
import os
import sys
import tarfile

REGISTRY = "registry.acme.example"
STOREFRONT = "https://git.acme.example/shop/storefront.git"
PLATFORM = "https://git.acme.example/platform/platform.git"
IMAGES = [
    ("shop/storefront:2.3.1", STOREFRONT, os.environ["PLANTED"]),
    ("shop/storefront:2.3.0", STOREFRONT, os.environ["CLEAN"]),
    ("platform/agent:1.8", PLATFORM, os.environ["PLATFORM"]),
    ("shop/cart:4.0", None, None),
    ("shop/catalog:3.2", None, None),
    ("shop/checkout:5.1", None, None),
    ("payments/ledger:1.12", None, None),
    ("payments/gateway:2.0", None, None),
    ("data/store:14", None, None),
]


def entry(tar, name, data):
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.size = 0o644, 1767225600, len(data)
    tar.addfile(info, io.BytesIO(data))


with tarfile.open(sys.argv[1]) as tar:
    layer = tar.extractfile("layer.tar").read()
    config = json.load(tar.extractfile("config.json"))
manifest = []
with tarfile.open(sys.argv[2], "w") as tar:
    entry(tar, "layer.tar", layer)
    for name, source, revision in IMAGES:
        labels = {"org.opencontainers.image.title": name.split(":")[0]}
        if revision:
            labels |= {"org.opencontainers.image.revision": revision, "org.opencontainers.image.source": source}
        config["config"]["Labels"] = labels
        text = json.dumps(config).encode()
        file = hashlib.sha256(text).hexdigest() + ".json"
        entry(tar, file, text)
        manifest.append({"Config": file, "RepoTags": [f"{REGISTRY}/{name}"], "Layers": ["layer.tar"]})
    entry(tar, "manifest.json", json.dumps(manifest).encode())
