//! A process's network, as the tests start it.

use std::{net::SocketAddr, sync::Arc};

use distro_tui::net::{
    greeter,
    naming::{
        self, LeaseKeeper, NamingClient, NamingLimits, NamingServer, RegisterRequest, ShareRule,
    },
    rpc::{endpoint::Endpoint, object::Caller},
    trust::{identity::Identity, members::Members, peer_addr::PeerAddr, role::Role},
    uri::Uri,
};
use tokio_util::sync::CancellationToken;

/// A naming server and a greeter on one endpoint.
pub(crate) struct Server {
    pub(crate) peer: PeerAddr,
}

impl Server {
    pub(crate) fn start(endpoint: &Endpoint, addr: SocketAddr) -> Self {
        let peer = PeerAddr {
            addr,
            key: endpoint.key(),
        };
        let naming = NamingServer::new(NamingLimits::default());
        endpoint
            .objects()
            .expose(naming::NAME, Arc::new(naming.object()));
        endpoint
            .objects()
            .expose(greeter::NAME, Arc::new(greeter::greeter()));
        let myself = Caller {
            principal: peer.key.into(),
            role: Role::Admin,
        };
        let mut itself = RegisterRequest::new(naming::NAME, uri(naming::NAME, addr));
        itself.lease_ms = Some(0);
        naming.register(&myself, itself).expect("the first name");
        // It runs until its runtime ends.
        tokio::spawn(async move { naming.run(CancellationToken::new()).await });
        Self { peer }
    }

    pub(crate) fn naming_client(&self, from: &Endpoint) -> NamingClient {
        NamingClient::new(from.client(), self.peer)
    }

    /// Registers the greeter from `endpoint` and renews its lease.
    pub(crate) fn keep_greeter(&self, endpoint: &Endpoint, addr: SocketAddr) -> LeaseKeeper {
        let mut wanted = RegisterRequest::new(greeter::NAME, uri(greeter::NAME, addr));
        wanted.share = Some(ShareRule::Members);
        LeaseKeeper::new(self.naming_client(endpoint), wanted)
    }
}

pub(crate) fn uri(object: &str, addr: SocketAddr) -> Uri {
    Uri::distro(object, addr)
}

/// A real endpoint on loopback that serves itself and the given others.
pub(crate) fn loopback(identity: &Identity, others: &[&Identity]) -> (Endpoint, SocketAddr) {
    let members = Members::self_only(identity.public());
    for other in others {
        members.admit(other.public(), Role::Member);
    }
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::bind(anywhere, identity, members).expect("a free port");
    let addr = endpoint.local_addr().expect("bound");
    (endpoint, addr)
}

pub(crate) fn identity() -> Identity {
    Identity::ephemeral().expect("random numbers")
}
