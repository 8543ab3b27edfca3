#!/usr/bin/env python3
"""Writes tables/kubernetes/src/protobuf/schema.rs: the protobuf form and the JSON form of Kubernetes' built-in objects.

usage: kubernetes_schema.py GO PB OPENAPI OUT

GO       staging/src/k8s.io of a Kubernetes source tree. Its types.go state number, JSON name and what JSON omits.
         Written with Debian's source package of Kubernetes 1.20.2.
PB       src of the crate k8s-pb: message and field numbers of a newer version. Written with 0.9.0.
OPENAPI  src of the crate k8s-openapi: exact JSON names of newer versions. Written with 0.29.0.

A field that both versions have is as the Go source says. Of a field that is only in the newer version, the comment
`+optional` says whether JSON omits an empty value.
"""

import re
import sys
from pathlib import Path

# Groups and versions whose objects are decoded, and the older version that states the facts of their fields.
GROUPS = {
    "core/v1": None, "apps/v1": None, "batch/v1": "batch/v1beta1", "batch/v1beta1": None, "rbac/v1": None,
    "networking/v1": "networking/v1beta1", "networking/v1beta1": None, "storage/v1": "storage/v1beta1",
    "storage/v1beta1": None, "policy/v1": "policy/v1beta1", "policy/v1beta1": None, "autoscaling/v1": None,
    "autoscaling/v2": "autoscaling/v2beta2", "autoscaling/v2beta2": None, "discovery/v1": "discovery/v1beta1",
    "discovery/v1beta1": None, "admissionregistration/v1": "admissionregistration/v1beta1", "coordination/v1": None,
    "certificates/v1": "certificates/v1beta1", "events/v1": None, "scheduling/v1": None, "node/v1": None,
    "flowcontrol/v1": "flowcontrol/v1beta1",
}
NAMES = {
    "rbac": "rbac.authorization.k8s.io", "networking": "networking.k8s.io", "storage": "storage.k8s.io",
    "discovery": "discovery.k8s.io", "admissionregistration": "admissionregistration.k8s.io",
    "coordination": "coordination.k8s.io", "certificates": "certificates.k8s.io", "events": "events.k8s.io",
    "scheduling": "scheduling.k8s.io", "node": "node.k8s.io", "flowcontrol": "flowcontrol.apiserver.k8s.io",
}
SPECIAL = {
    "Time": "Time", "MicroTime": "MicroTime", "Quantity": "Quantity", "IntOrString": "IntOrString",
    "RawExtension": "Raw", "FieldsV1": "Raw",
}
# Messages that were renamed: the newer name and the older one.
RENAMED = {"ProbeHandler": "Handler", "LifecycleHandler": "Handler"}
# What the newer version does otherwise with an empty value.
CHANGED = {
    "ObjectMeta.creationTimestamp": "NonZero", "ContainerImage.names": "List",
    "autoscaling/v2 HorizontalPodAutoscalerStatus.conditions": "List",
}
# Fields with entire objects, of which JSON also states version and kind.
OBJECTS = {"StatefulSetSpec.volumeClaimTemplates": ("v1", "PersistentVolumeClaim")}
# Fields of the newer version whose zero JSON omits, although they are numbers or lack the comment.
PLAIN = {"observedGeneration", "minReadySeconds", "VolumeMountStatus.readOnly", "ManagedFieldsEntry.subresource"}


class Field:
    def __init__(self, number, name, kind, form):
        self.number, self.name, self.kind, self.form = number, name, kind, form


def normal(name):
    return name.replace("_", "").lower()


def meta(root):
    return root / "apimachinery/pkg/apis/meta/v1"


# The Go source: {package: {struct: [Field]}}.

INTEGERS = ("int", "int32", "int64")
SCALARS = {"string": "Text", "bool": "Bool", "[]byte": "Bytes", **dict.fromkeys(INTEGERS, "Integer")}


def go_aliases(folder):
    text = (folder / "types.go").read_text()
    return dict(re.findall(r"^type (\w+) (string|int32|int64|int|bool|\[\]byte|\[\]string)$", text, re.M))


def go_package(root, package):
    folder = meta(root) if package == "meta/v1" else root / "api" / package
    if not (folder / "types.go").exists():
        return {}
    text = (folder / "types.go").read_text()
    imports = dict(re.findall(r'^\s+(?:(\w+) )?"k8s\.io/(api/\w+/\w+)"', text, re.M))
    imports = {name or "v1": path for name, path in imports.items()}
    aliases = go_aliases(folder)
    for name, path in imports.items():
        aliases.update({f"{name}.{alias}": kind for alias, kind in go_aliases(root / path).items()})
    structs = {}
    for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S):
        fields = []
        for line in body.split("\n"):
            found = re.match(r"\s*(?:(\w+)\s+)?([^\s`]+)\s+`(.*)`", line.split("//")[0] if "`" not in line else line)
            if not found:
                continue
            tags = dict(re.findall(r'(\w+):"([^"]*)"', found[3]))
            if "protobuf" not in tags or "json" not in tags:
                continue
            number = int(tags["protobuf"].split(",")[1])
            json, *options = tags["json"].split(",")
            form = "inline" if "inline" in options else None
            fields.append(go_field(number, json, found[2], "omitempty" in options, form, package, imports, aliases))
        structs[name] = fields
    return structs


def go_kind(go, package, imports, aliases):
    if go in SCALARS:
        return SCALARS[go]
    outer, _, name = go.rpartition(".")
    if outer and go in aliases:
        return SCALARS.get(aliases[go], "Texts")
    if name in SPECIAL and outer in ("metav1", "resource", "intstr", "runtime", ""):
        return SPECIAL[name]
    if go == "types.UID":
        return "Text"
    if outer == "metav1" or outer == "v1" and "v1" not in imports:
        return ("meta/v1", name)
    if outer:
        if outer == "v1" or outer in imports:
            return (imports[outer].removeprefix("api/"), name)
        raise SystemExit(f"{package}: {go}")
    if name == "ExtraValue":
        return "Texts"
    if name in aliases:
        return SCALARS.get(aliases[name], "Texts")
    return (package, name)


def go_field(number, json, go, omits, form, package, imports, aliases):
    kind = lambda go: go_kind(go, package, imports, aliases)
    if go.startswith("*"):
        inner = kind(go[1:])
        form = form or ("Given" if omits else "Nullable")
        return Field(number, json, inner, form)
    if go == "[]byte" or aliases.get(go) == "[]byte":
        return Field(number, json, "Bytes", "NonZero" if omits else "Nullable")
    if go.startswith("[]"):
        return Field(number, json, kind(go[2:].lstrip("*")), "List" if omits else "NullableList")
    if go.startswith("map["):
        return Field(number, json, kind(go.split("]", 1)[1].lstrip("*")), "Map")
    # Types of their own in core/v1 that are maps or lists.
    if go.rpartition(".")[2] == "ResourceList":
        return Field(number, json, "Quantity", "Map")
    inner = kind(go)
    if isinstance(inner, tuple) or inner not in SCALARS.values():
        # A struct is never empty in Go.
        return Field(number, json, inner, form or "Given")
    return Field(number, json, inner, "NonZero" if omits else "Given")


# The newer version: {package: {struct: [(number, snake name, kind, label, is optional)]}}.


def pb_package(file, package):
    structs, name, docs, prost = {}, None, [], None
    # A long type stands on several lines.
    line = r"pub (?:r#)?\w+:[^{}]*?,\n(?=\s*(?:///|#\[|\}))"
    text = re.sub(line, lambda found: " ".join(found[0].split()) + "\n", file.read_text())
    for line in text.split("\n"):
        line = line.strip()
        if found := re.match(r"pub struct (\w+) \{", line):
            name = found[1]
            structs[name] = []
        elif line == "}":
            name = None
        elif line.startswith("///"):
            docs.append(line)
        elif found := re.match(r"#\[prost\((.*), tag = \"(\d+)\"\)\]", line):
            prost = found
        elif name and prost and (found := re.match(r"pub (?:r#)?(\w+): (.*),$", line)):
            kind, label = pb_kind(prost[1], found[2], package)
            is_optional = "+optional" in " ".join(docs)
            structs[name].append((int(prost[2]), found[1].rstrip("_"), kind, label, is_optional))
            docs, prost = [], None
        elif not line.startswith("#["):
            docs = []
    return structs


def pb_kind(prost, rust, package):
    scalars = {**SCALARS, "bytes": "Bytes", 'bytes = "vec"': "Bytes"}
    label = "map" if "btree_map" in prost else "list" if "repeated" in prost else "one"
    word = re.sub(r'btree_map = "string, (\w+)"', r"\1", prost).split(",")[0]
    if word in scalars:
        return scalars[word], label
    path = re.findall(r"\w[\w:]*", rust)[-1]
    parts = [part for part in path.split("::") if part != "super"]
    name = parts[-1]
    if name == "ExtraValue":
        return "Texts", label
    if len(parts) > 1 and parts[0] == "apimachinery":
        return SPECIAL.get(name, ("meta/v1", name)), label
    if package == "meta/v1" and name in SPECIAL:
        return SPECIAL[name], label
    if len(parts) == 2 and "super" in path and path.count("super") == 1:
        return (package.split("/")[0] + "/" + parts[0], name), label
    return ("/".join(parts[:2]) if len(parts) == 3 else package, name), label


def json_names(openapi, package):
    """{struct: {normal name: name}} of a package, and the names of all packages."""
    folder = "apimachinery/pkg/apis/meta/v1" if package == "meta/v1" else f"api/{package}"
    structs, every = {}, {}
    for file in sorted(openapi.rglob("*.rs")):
        text = file.read_text()
        names = {normal(key): json for json, key in re.findall(r'"([^"]+)" => Field::Key_(\w+)', text)}
        if str(file.parent).endswith(folder) and (name := re.search(r"Generated from definition (\S+)", text)):
            structs.setdefault(name[1].rsplit(".", 1)[1], {}).update(names)
        every.update(names)
    return structs, every


def merged(package, go, facts, pb, names):
    structs, every = names
    messages = {}
    # The crate changes the case of abbreviations in names.
    spelled = {normal(name): name for name in [*go, *facts]}
    pb = {spelled.get(normal(name), name): fields for name, fields in pb.items()}
    structs = {spelled.get(normal(name), name): names for name, names in structs.items()}
    for name, fields in pb.items():
        old = go.get(name) or facts.get(name) or go.get(RENAMED.get(name, "")) or []
        is_same = name in go or name in RENAMED
        of_number = {field.number: field for field in old}
        of_name = {normal(field.name): field for field in old if field.name}
        result = []
        for number, snake, kind, label, is_optional in fields:
            field = of_number.get(number) if is_same else of_name.get(normal(snake))
            if not is_same and field is None:
                field = next((old for old in old if old.form == "inline" and old.number == number), None)
            if field:
                at = f"{name}.{field.name}"
                form = CHANGED.get(at) or CHANGED.get(f"{package} {at}") or field.form
                result.append(Field(number, field.name, kind, form))
                continue
            known = structs.get(name, {}).get(normal(snake)) or every.get(normal(snake))
            # Other names have no abbreviations.
            json = known or re.sub(r"_(\w)", lambda found: found[1].upper(), snake)
            is_message = isinstance(kind, tuple) or kind not in SCALARS.values()
            # An older server does not send the field, and its JSON does not have it.
            if isinstance(kind, tuple) and not known:
                # JSON has no such name.
                form = "inline"
            elif label == "list":
                form = "List"
            elif label == "map":
                form = "Map"
            elif is_message:
                form = "Given"
            elif kind in ("Text", "Bytes") and is_optional or {json, f"{name}.{json}"} & PLAIN:
                form = "NonZero"
            else:
                form = "Given"
            result.append(Field(number, json, kind, form))
        numbers = {field.number for field in result}
        if is_same:
            result += [field for field in go.get(name, []) if field.number not in numbers]
        messages[name] = result
    for name, fields in go.items():
        messages.setdefault(name, fields)
    return messages


def identifier(package, name):
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return f"{package}_{words}".replace("/", "_").upper()


def main():
    go_root, pb_root, openapi, out = (Path(word) for word in sys.argv[1:])
    packages = {}
    for package, older in [("meta/v1", None), *GROUPS.items()]:
        go = go_package(go_root, package)
        facts = go_package(go_root, older) if older else {}
        file = pb_root / ("apimachinery/pkg/apis/meta/v1" if package == "meta/v1" else f"api/{package}") / "mod.rs"
        pb = pb_package(file, package)
        packages[package] = merged(package, go, facts, pb, json_names(openapi, package))
    # References in the spelling of their message.
    spelled = {(package, normal(name)): name for package in packages for name in packages[package]}
    for messages in packages.values():
        for field in (field for fields in messages.values() for field in fields):
            if isinstance(field.kind, tuple):
                package, name = field.kind
                field.kind = (package, spelled[package, normal(name)])
    roots = [("meta/v1", "PartialObjectMetadata"), ("meta/v1", "ListMeta"), ("meta/v1", "Status")]
    resources = []
    for package in GROUPS:
        for name in sorted(packages[package]):
            if name.endswith("List") and any(field.name == "items" for field in packages[package][name]):
                kind = name.removesuffix("List")
                # Objects of these kinds are never listed.
                if kind in packages[package] and kind not in ("RangeAllocation", "PodStatusResult"):
                    resources.append((package, kind))
    reached, order, left = set(), [], roots + resources
    while left:
        package, name = at = left.pop(0)
        if at in reached:
            continue
        reached.add(at)
        order.append(at)
        for field in packages[package][name]:
            if isinstance(field.kind, tuple):
                left.append(field.kind)
    order.sort()

    text = [
        "//! Written by crates/xtask/kubernetes_schema.py; do not edit.",
        "//!",
        "//! Facts of Kubernetes' public API: numbers, names and types from types.go of Kubernetes 1.20.2 (Debian's",
        "//! source package), and from the crates k8s-pb 0.9.0 and k8s-openapi 0.29.0 for what newer versions added.",
        "",
        "use super::Form::{Given, Inline, List, Map, NonZero, Nullable, NullableList};",
        "use super::Kind::{",
        "    Bool, Bytes, Integer, IntOrString, MicroTime, Object, Of, Quantity, Raw, Text, Texts, Time,",
        "};",
        "use super::{Field as F, Message};",
        "",
        "/// Group and version, kind in lowercase, and message of each resource.",
        "pub(super) static RESOURCES: &[(&str, &str, &Message)] = &[",
    ]
    for package, kind in resources:
        group, version = package.split("/")
        group_version = version if group == "core" else f"{NAMES.get(group, group)}/{version}"
        line = f'("{group_version}", "{kind.lower()}", &{identifier(package, kind)}),'
        text.append(f"    {line}" if len(line) < 116 else "    " + line.replace(", &", ",\n     &"))
    text.append("];")
    public = {identifier(*root) for root in roots}
    for package, name in order:
        this = identifier(package, name)
        visibility = "pub(super) " if this in public else ""
        text += ["", f"{visibility}static {this}: Message = Message(&["]
        line = "   "
        for field in packages[package][name]:
            kind = f"Of(&{identifier(*field.kind)})" if isinstance(field.kind, tuple) else field.kind
            if typed := OBJECTS.get(f"{name}.{field.name}"):
                kind = f'Object("{typed[0]}", "{typed[1]}", &{identifier(*field.kind)})'
            form = {"inline": "Inline"}.get(field.form, field.form)
            part = f' F({field.number}, "{field.name}", {kind}, {form}),'
            if len(line) + len(part) > 118:
                text += [line] if line.strip() else []
                line = "   "
            if len(part) > 115:
                part = part.replace(", Of(", ",\n      Of(")
            line += part
        text += [line] if line.strip() else []
        text.append("]);")
    out.write_text("\n".join(text) + "\n")


main()
