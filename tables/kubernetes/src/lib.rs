//! Tables about Kubernetes clusters
