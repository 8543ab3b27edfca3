//! Fixture hosts.
