//! The proxy of a server: the kubeconfig's, otherwise the environment's, by the rules of Go's `httpproxy`, which
//! kubectl uses.

use std::net::IpAddr;

use http::Uri;
use indago_net::proxy;
use indago_table::{Error, Result, Sys};

/// The proxy for a server. The one in the kubeconfig takes precedence.
pub(crate) fn proxy_for(server: &Uri, explicit: Option<&str>, sys: &Sys) -> Result<Option<Uri>> {
    if let Some(explicit) = explicit {
        return proxy(explicit).map(Some).map_err(|why| Error::Malformed(format!("`proxy-url` {why}")));
    }
    let first_of = |names: [&str; 2]| {
        names.iter().find_map(|name| Some((name.to_string(), sys.variable(name).filter(|value| !value.is_empty())?)))
    };
    let is_https = server.scheme_str() == Some("https");
    let names = if is_https { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some((name, named)) = first_of(names) else { return Ok(None) };
    let host = bare(server.host().unwrap_or_default()).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let excepted = first_of(["NO_PROXY", "no_proxy"]).map(|(_, list)| list).unwrap_or_default();
    if is_direct(&host, port, &excepted) {
        return Ok(None);
    }
    let named = if named.contains("://") { named } else { format!("http://{named}") };
    proxy(&named).map(Some).map_err(|why| Error::Malformed(format!("the variable {name} {why}")))
}

/// A host without the brackets around an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether no proxy of the environment is used for a host, which is in lowercase.
fn is_direct(host: &str, port: u16, excepted: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return true;
    }
    excepted.split(',').any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return address.is_some_and(|address| is_within(address, network, bits));
        }
        let (name, only_port) = match entry.rsplit_once(':') {
            // An IPv6 address without brackets has no port.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (bare(name), Some(port)),
            _ => (bare(&entry), None),
        };
        let is_host = match (address, name.parse::<IpAddr>()) {
            (Some(address), Ok(excepted)) => address.to_canonical() == excepted.to_canonical(),
            (_, Ok(_)) => false,
            (_, Err(_)) => {
                let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
                match name.strip_prefix('.') {
                    Some(_) => host.ends_with(name),
                    None => !name.is_empty() && (host == name || host.ends_with(&format!(".{name}"))),
                }
            }
        };
        is_host && only_port.is_none_or(|only| only.is_empty() || only == port.to_string())
    })
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let widened = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((address, width), (network, network_width)) = (widened(address.to_canonical()), widened(network));
    let shift = 128_u32.checked_sub(bits);
    width == network_width
        && bits <= width
        && shift.is_some_and(|shift| address.checked_shr(shift) == network.checked_shr(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, explicit: Option<&str>, variables: &[(&str, &str)]) -> String {
        let sys = Sys::live().with_variables(variables.iter().copied());
        match proxy_for(&server.parse().unwrap(), explicit, &sys) {
            Ok(Some(proxy)) => proxy.to_string(),
            Ok(None) => "direct".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// The expected values are those of kubectl 1.32, which contacted the proxy or resolved the name itself.
    #[test]
    fn no_proxy_is_compared_with_the_server() {
        let cases = [
            ("https://api.example.test:6443", "", false),
            ("https://api.example.test:6443", "api.example.test", true),
            ("https://api.example.test:6443", ".example.test", true),
            ("https://api.example.test:6443", "example.test", true),
            ("https://api.example.test:6443", "*.example.test", true),
            ("https://api.example.test:6443", "xample.test", false),
            ("https://api.example.test:6443", "api.example.test:6443", true),
            ("https://api.example.test:6443", "api.example.test:443", false),
            ("https://api.example.test", "api.example.test:443", true),
            ("https://api.example.test:6443", "foo, API.example.test ,", true),
            ("https://API.example.test:6443", "api.example.test", true),
            ("https://api.example.test:6443", "foo api.example.test", false),
            ("https://api.example.test:6443", "*", true),
            ("https://api.example.test:6443", "10.0.0.0/8,127.0.0.1:3128", false),
            ("https://example.test", ".example.test", false),
            ("https://10.9.8.7:6443", "10.0.0.0/8", true),
            ("https://10.9.8.7:6443", "11.0.0.0/8", false),
            ("https://10.9.8.7:6443", "10.9.8.7:443", false),
            ("https://10.9.8.7:6443", "10.9.8.7", true),
            ("https://10.9.8.7:6443", "0.0.0.0/0", true),
            ("https://10.9.8.7:6443", "10.9.8.7/33,10.9.8.7/x,/8,::/0", false),
            ("https://[fd00::5]:6443", "fd00::/8", true),
            ("https://[fd00::5]:6443", "fd00::5", true),
            ("https://[fd00::5]:6443", "[fd00::5]:6443", true),
            ("https://[fd00::5]:6443", "[fd00::5]:443", false),
            ("https://[fd00::5]:6443", "fe80::/10", false),
            ("https://localhost:6443", "", true),
            ("https://127.3.2.1:6443", "", true),
            ("https://[::1]:6443", "", true),
        ];
        for (server, excepted, is_direct) in cases {
            let expected = if is_direct { "direct" } else { "http://proxy.test:3128/" };
            for names in [["HTTPS_PROXY", "NO_PROXY"], ["https_proxy", "no_proxy"]] {
                let variables = [(names[0], "http://proxy.test:3128"), (names[1], excepted)];
                assert_eq!(chosen(server, None, &variables), expected, "{server} {excepted}");
            }
            // The proxy in the kubeconfig is used, whatever the environment states.
            let variables = [("HTTPS_PROXY", "http://other.test"), ("NO_PROXY", excepted)];
            assert_eq!(chosen(server, Some("http://proxy.test:3128"), &variables), "http://proxy.test:3128/");
        }
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let (https, http) = ("https://api.test", "http://api.test");
        assert_eq!(chosen(https, None, &[("HTTP_PROXY", "http://p")]), "direct");
        assert_eq!(chosen(http, None, &[("HTTPS_PROXY", "http://p")]), "direct");
        assert_eq!(chosen(http, None, &[("http_proxy", "http://p")]), "http://p/");
        assert_eq!(chosen(https, None, &[("ALL_PROXY", "http://p")]), "direct");
        assert_eq!(chosen(https, None, &[("HTTPS_PROXY", ""), ("https_proxy", "p:3128")]), "http://p:3128/");
    }

    #[test]
    fn a_proxy_that_is_none_is_said_without_its_password() {
        for (proxy_url, told) in [
            ("127.0.0.1:18001", "`proxy-url` has no scheme: write it as http://HOST:PORT"),
            ("ftp://joe:secret@h", "`proxy-url` has the scheme `ftp`: it must be http, https or socks5"),
            ("http://joe:secret@", "`proxy-url` is not a proxy URL: write it as http://HOST:PORT"),
            ("http://a b", "`proxy-url` is not a proxy URL: write it as http://HOST:PORT"),
        ] {
            assert_eq!(chosen("https://api.test", Some(proxy_url), &[]), told);
        }
        let told = "the variable HTTPS_PROXY is not a proxy URL: write it as http://HOST:PORT";
        assert_eq!(chosen("https://api.test", None, &[("HTTPS_PROXY", "http://a b")]), told);
    }
}
