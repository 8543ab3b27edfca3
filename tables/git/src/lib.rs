//! Tables about git repositories
