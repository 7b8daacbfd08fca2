//! The addresses at which this process can be reached.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use super::known_nodes::JoinedNode;

/// Returns the address at which this process reaches itself.
pub(super) fn dialable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Returns the addresses at which others may reach a socket bound to `bound`, the likeliest first.
/// Loopback is last, for other processes on this machine.
pub(super) fn advertised(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut ips: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| bound.is_ipv6() || ip.is_ipv4())
        .filter(|ip| !is_link_local(ip))
        .collect();
    ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    ips.dedup();
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, bound.port()))
        .collect()
}

/// Reports whether an address means nothing without the name of its link.
const fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Returns the address at which `peer` reaches a socket bound to `bound`: the source of the route to it.
pub(super) fn source_addr_for(bound: SocketAddr, peer: SocketAddr) -> io::Result<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Nothing is sent: the system only chooses the route.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), bound.port()))
}

/// The address of this node for others.
#[derive(Clone, Copy)]
pub(super) struct AdvertisedAddr {
    /// The address that it listens on.
    pub(super) bound: SocketAddr,
    /// The address from the configuration.
    pub(super) configured: Option<SocketAddr>,
}

impl AdvertisedAddr {
    /// Returns the address at which `peer` reaches this node.
    pub(super) fn as_seen_from(self, peer: SocketAddr) -> SocketAddr {
        let seen = || source_addr_for(self.bound, peer).unwrap_or(self.bound);
        self.configured.unwrap_or_else(seen)
    }
}

/// Returns a warning if only this machine can reach these addresses.
#[must_use]
pub fn loopback_warning(addrs: &[SocketAddr]) -> Option<String> {
    addrs.iter().all(|addr| addr.ip().is_loopback()).then(|| {
        "only this machine can reach this node; for others start it with --listen \
         0.0.0.0:PORT, or with --advertise ADDR:PORT if that address is forwarded here"
            .to_owned()
    })
}

/// Returns a warning if a joined node is on another machine and this one is going to listen on loopback.
pub(super) fn unreachable_from(listen: SocketAddr, joined: &JoinedNode) -> Option<String> {
    let is_local = joined.addrs.first()?.ip().is_loopback();
    match is_local {
        true => None,
        false => loopback_warning(&[listen]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_unspecified_address_is_replaced_by_ones_that_can_be_dialed() {
        assert_eq!(dialable(addr("0.0.0.0:9")), addr("127.0.0.1:9"));
        assert_eq!(dialable(addr("[::]:9")), addr("[::1]:9"));
        assert_eq!(dialable(addr("10.0.0.1:9")), addr("10.0.0.1:9"));
        assert_eq!(advertised(addr("10.0.0.1:9")), [addr("10.0.0.1:9")]);
        let all = advertised(addr("0.0.0.0:9"));
        assert!(all.iter().all(|addr| addr.port() == 9 && addr.is_ipv4()));
        let outside = all.iter().take_while(|addr| !addr.ip().is_loopback());
        assert!(
            all.iter()
                .skip(outside.count())
                .all(|addr| addr.ip().is_loopback()),
            "loopback is last: {all:?}"
        );
    }

    #[test]
    fn the_route_to_a_process_on_this_machine_is_loopback() {
        let seen = source_addr_for(addr("0.0.0.0:9"), addr("127.0.0.1:5")).expect("a route");
        assert_eq!(seen, addr("127.0.0.1:9"));
        let bound = source_addr_for(addr("10.0.0.1:9"), addr("127.0.0.1:5")).expect("bound");
        assert_eq!(bound, addr("10.0.0.1:9"));
    }

    #[test]
    fn a_node_that_only_this_machine_reaches_is_warned_of() {
        assert!(loopback_warning(&[addr("127.0.0.1:1")]).is_some());
        assert_eq!(
            loopback_warning(&[addr("127.0.0.1:1"), addr("10.0.0.1:1")]),
            None
        );
    }
}
