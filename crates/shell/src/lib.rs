//! The interactive shell and result rendering
