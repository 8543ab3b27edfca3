//! Tables about container runtimes
