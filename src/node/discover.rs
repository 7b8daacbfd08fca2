//! Finding joined nodes that have moved, on the local network, by mDNS (RFC 6762, RFC 6763). Only
//! addresses are learned from it: a node there must still prove that it holds the known key.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use mdns_sd::{ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::net::trust::{key::PublicKey, ticket::MAX_ADDRS};

/// The service type of nodes.
const SERVICE: &str = "_distro-tui._udp.local.";
/// The longest wait for replies.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// Announces this node's addresses on the local network until it is dropped.
pub(super) struct Announcer(ServiceDaemon);

impl Announcer {
    /// Starts announcing.
    ///
    /// # Errors
    /// When the system has no multicast.
    pub(super) fn start(key: PublicKey, addrs: &[SocketAddr]) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        let ips: Vec<IpAddr> = addrs.iter().map(SocketAddr::ip).collect();
        let port = addrs.first().map_or(0, SocketAddr::port);
        let name = key.fingerprint();
        // The whole key does not fit into a label, so it is in the TXT record.
        let text = [("key", key.to_string())];
        let info = ServiceInfo::new(
            SERVICE,
            &name,
            &format!("{name}.local."),
            &ips[..],
            port,
            &text[..],
        )?;
        daemon.register(info)?;
        Ok(Self(daemon))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // Its thread announces the end and stops by itself.
        self.0.shutdown().ok();
    }
}

/// Returns the announced addresses of a node; blocks for at most [`LOOKUP_TIMEOUT`].
pub(super) fn find(key: PublicKey) -> Vec<SocketAddr> {
    let Ok(daemon) = ServiceDaemon::new() else {
        return Vec::new();
    };
    let found = browse(&daemon, key);
    daemon.shutdown().ok();
    found.into_iter().take(MAX_ADDRS).collect()
}

fn browse(daemon: &ServiceDaemon, key: PublicKey) -> BTreeSet<SocketAddr> {
    let until = Instant::now() + LOOKUP_TIMEOUT;
    let Ok(events) = daemon.browse(SERVICE) else {
        return BTreeSet::new();
    };
    let key = key.to_string();
    while let Ok(event) = events.recv_deadline(until) {
        let ServiceEvent::ServiceResolved(service) = event else {
            continue;
        };
        if service.get_property_val_str("key") != Some(key.as_str()) {
            continue;
        }
        let addr = |ip: &ScopedIp| match ip.to_ip_addr() {
            // A link-local address means nothing without the name of its link.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
            ip => Some(SocketAddr::new(ip, service.port)),
        };
        let found: BTreeSet<_> = service.addresses.iter().filter_map(addr).collect();
        if !found.is_empty() {
            return found;
        }
    }
    BTreeSet::new()
}
