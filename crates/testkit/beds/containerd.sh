# containerd in its own namespaces, at the paths where a machine has it; its folders are also visible from outside.
inside "$BED/containerd-inside.sh"
inside_ready 60
stay
