//! Where others can reach this process, as far as it can tell.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use super::known_nodes::JoinedNode;

/// An address that this process itself can dial: listening on every address is no address.
pub(super) fn dialable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Every address at which others may reach what listens on `bound`, the likeliest first. Loopback is
/// last, for others on this machine.
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

/// An address of its own link means nothing without the link's name.
const fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The address under which `there` sees what listens on `bound`: that of the way to it.
pub(super) fn source_addr_for(bound: SocketAddr, there: SocketAddr) -> io::Result<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let anywhere: IpAddr = match there {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Nothing is sent: the system only chooses the way.
    let socket = UdpSocket::bind((anywhere, 0))?;
    socket.connect(there)?;
    Ok(SocketAddr::new(socket.local_addr()?.ip(), bound.port()))
}

/// What to say when others are to reach this process and cannot.
#[must_use]
pub fn loopback_warning(addrs: &[SocketAddr]) -> Option<String> {
    addrs.iter().all(|addr| addr.ip().is_loopback()).then(|| {
        "only this machine can reach it: others need --listen 0.0.0.0:PORT, or --advertise \
         ADDR:PORT for an address that leads here"
            .to_owned()
    })
}

/// The same when others are at a node that was joined, and this one is going to listen here.
pub(super) fn unreachable_from(listen: SocketAddr, joined: &JoinedNode) -> Option<String> {
    let near = joined.addrs.first()?.ip().is_loopback();
    (!near).then(|| loopback_warning(&[listen])).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_listens_everywhere_is_reached_somewhere() {
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
    fn the_way_to_a_neighbour_on_this_machine_is_loopback() {
        let seen = source_addr_for(addr("0.0.0.0:9"), addr("127.0.0.1:5")).expect("there is a way");
        assert_eq!(seen, addr("127.0.0.1:9"));
        let bound = source_addr_for(addr("10.0.0.1:9"), addr("127.0.0.1:5")).expect("it is bound");
        assert_eq!(bound, addr("10.0.0.1:9"));
    }

    #[test]
    fn it_is_said_when_nobody_else_can_reach_it() {
        assert!(loopback_warning(&[addr("127.0.0.1:1")]).is_some());
        assert_eq!(
            loopback_warning(&[addr("127.0.0.1:1"), addr("10.0.0.1:1")]),
            None
        );
    }
}
