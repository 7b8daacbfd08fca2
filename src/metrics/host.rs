//! The check of the `Host` header: a web page must not read the metrics through a name that it resolves to loopback.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{HOST, HeaderValue},
    http::uri::Authority,
};

/// Returns true if every `Host` header names this machine by an address or as `localhost`. Requests without the
/// header come from no browser.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().all(is_local_name)
}

fn is_local_name(host: &HeaderValue) -> bool {
    let authority = host
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static(host));
        is_local(&headers)
    }

    #[test]
    fn only_addresses_and_localhost_are_local() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "[::1]:9464",
            "localhost:9464",
            "LOCALHOST",
        ] {
            assert!(accepted(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "",
            "a b",
            "127.0.0.1.evil",
        ] {
            assert!(!accepted(host), "{host}");
        }
        assert!(is_local(&HeaderMap::new()));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        two.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_local(&two));
    }
}
