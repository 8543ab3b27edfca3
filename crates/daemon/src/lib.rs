//! The scheduled-query daemon
