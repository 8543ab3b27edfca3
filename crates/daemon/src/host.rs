//! The name of this host.

/// The host identifier of result lines: the configured one, or the host name.
pub(crate) fn identifier(configured: Option<&str>) -> String {
    match configured {
        Some(name) => name.to_owned(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}
