//! Indago: SQL over hosts, containers, clusters, cloud accounts and repositories
