//! Finding known nodes that have moved, on the local network, by mDNS (RFC 6762, RFC 6763). Only
//! addresses are learned from it: whoever answers there must still hold the key that is known.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use mdns_sd::{ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::net::trust::{key::PublicKey, ticket::MAX_ADDRS};

/// What nodes are announced as.
const SERVICE: &str = "_distro-tui._udp.local.";
/// Whoever is asked has answered by then, or is not there.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Tells the local network where this node is, until it is dropped.
pub(super) struct Announcer(ServiceDaemon);

impl Announcer {
    /// # Errors
    /// A sentence when there is no multicast here.
    pub(super) fn start(key: PublicKey, addrs: &[SocketAddr]) -> Result<Self, String> {
        let daemon = ServiceDaemon::new().map_err(|e| e.to_string())?;
        let ips: Vec<IpAddr> = addrs.iter().map(SocketAddr::ip).collect();
        let port = addrs.first().map_or(0, SocketAddr::port);
        let name = key.fingerprint();
        // The whole key does not fit into a label, so it stands in the text.
        let text = [("key", key.to_string())];
        let info = ServiceInfo::new(
            SERVICE,
            &name,
            &format!("{name}.local."),
            &ips[..],
            port,
            &text[..],
        );
        let info = info.map_err(|e| e.to_string())?;
        daemon.register(info).map_err(|e| e.to_string())?;
        Ok(Self(daemon))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // Its thread says goodbye and ends; nobody waits for it.
        self.0.shutdown().ok();
    }
}

/// Where a node is, as far as the local network says; it blocks for [`PATIENCE`] at most.
pub(super) fn find(key: PublicKey) -> Vec<SocketAddr> {
    let Ok(daemon) = ServiceDaemon::new() else {
        return Vec::new();
    };
    let found = answers(&daemon, key);
    daemon.shutdown().ok();
    found.into_iter().take(MAX_ADDRS).collect()
}

fn answers(daemon: &ServiceDaemon, key: PublicKey) -> BTreeSet<SocketAddr> {
    let until = Instant::now() + PATIENCE;
    let Ok(events) = daemon.browse(SERVICE) else {
        return BTreeSet::new();
    };
    let wanted = key.to_string();
    while let Ok(event) = events.recv_deadline(until) {
        let ServiceEvent::ServiceResolved(service) = event else {
            continue;
        };
        if service.get_property_val_str("key") != Some(wanted.as_str()) {
            continue;
        }
        let addr = |ip: &ScopedIp| match ip.to_ip_addr() {
            // An address of its own link means nothing without the link's name.
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
