# containerd in its own namespaces, at the standard paths; its directories are also visible from outside.
inside "$BED/containerd-inside.sh"
inside_ready 60
stay
