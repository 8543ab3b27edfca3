# dockerd, with its own containerd, in its own namespaces; the socket is a file that all users can reach.
inside "$BED/docker-inside.sh"
inside_ready 60
stay
