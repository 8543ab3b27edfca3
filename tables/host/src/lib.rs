//! Tables about the host
