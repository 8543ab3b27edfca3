//! Who this host is.

/// The name that result lines carry: the one configured, or the host's own.
pub(crate) fn identifier(configured: Option<&str>) -> String {
    match configured {
        Some(name) => name.to_owned(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}
